import type { MetricTable } from "../model/metric-table.ts";

/** The points of each series in the order of their times. */
export interface SeriesIndex {
  /** points of series s are rows[start[s] .. start[s + 1]) */
  readonly start: Int32Array;
  /** rows of `MetricTable.points`, ascending by time within a series, a time at most once */
  readonly rows: Int32Array;
  /** points of a time that the same series had already: the one that came last is kept */
  readonly duplicates: number;
  /** series whose points came out of order */
  readonly unordered: number;
}

/** O(n) for points that came in order, which nearly all do; O(n log n) within a series that did not. */
export function indexSeries(table: MetricTable): SeriesIndex {
  const { points, seriesCount } = table;
  const { series, timeOffsetNs } = points;
  const start = new Int32Array(seriesCount + 1);
  for (let row = 0; row < points.rowCount; row++) start[series[row]! + 1]!++;
  for (let s = 0; s < seriesCount; s++) start[s + 1]! += start[s]!;
  const rows = new Int32Array(points.rowCount);
  const next = start.slice();
  for (let row = 0; row < points.rowCount; row++) rows[next[series[row]!]!++] = row;

  let duplicates = 0;
  let unordered = 0;
  let kept = 0;
  const keptStart = new Int32Array(seriesCount + 1);
  for (let s = 0; s < seriesCount; s++) {
    const own = rows.subarray(start[s]!, start[s + 1]!);
    if (!isAscending(own, timeOffsetNs)) {
      unordered++;
      own.sort((a, b) => timeOffsetNs[a]! - timeOffsetNs[b]! || a - b);
    }
    for (let i = 0; i < own.length; i++) {
      if (i + 1 < own.length && timeOffsetNs[own[i]!] === timeOffsetNs[own[i + 1]!]) duplicates++;
      else rows[kept++] = own[i]!;
    }
    keptStart[s + 1] = kept;
  }
  return { start: keptStart, rows: rows.subarray(0, kept), duplicates, unordered };
}

function isAscending(rows: Int32Array, times: Float64Array): boolean {
  for (let i = 1; i < rows.length; i++) if (times[rows[i]!]! < times[rows[i - 1]!]!) return false;
  return true;
}

/** Rows of the points of one series, ascending by time. */
export function pointsOf(index: SeriesIndex, series: number): Int32Array {
  return index.rows.subarray(index.start[series]!, index.start[series + 1]!);
}

/** Median distance of the points of a series, nanoseconds; NaN with fewer than two. */
export function spacingNs(table: MetricTable, rows: Int32Array): number {
  if (rows.length < 2) return Number.NaN;
  const { timeOffsetNs } = table.points;
  const distances = new Float64Array(rows.length - 1);
  for (let i = 1; i < rows.length; i++) distances[i - 1] = timeOffsetNs[rows[i]!]! - timeOffsetNs[rows[i - 1]!]!;
  distances.sort();
  return distances[distances.length >> 1]!;
}
