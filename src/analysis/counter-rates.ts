import { type MetricTable, Temporality } from "../model/metric-table.ts";
import { spacingNs } from "./metric-series.ts";
import { type Signal, SignalBuilder } from "./signal.ts";

/** A process that started anew within this many usual distances of points before its first one counted from zero then. */
const FRESH = 2;

/** Whose beginning a total counts from: that of the process that tells it, or of the machine, whoever tells it. */
export type CountsFrom = "process" | "machine";

/** How a counter grew from point to point. */
export interface CounterRate {
  /** increase per second */
  readonly rate: Signal;
  /** times at which it fell or its start changed: restarts of the process */
  readonly resets: number;
  /** points that contradict their kind: negative deltas, values that are not finite */
  readonly faults: number;
}

/**
 * Rate of a counter whose points are `rows`, ascending by time; `valueOf` gives the count of a row.
 *
 * Cumulative: the increase from point to point. Where the start changed or the
 * count fell, it counts from zero since the start, or since the point before where no
 * start is said. The first point counts only if its start is near: what a process did in the
 * hours before is not of this window. Totals of a machine go on when a process that tells them starts, although SDKs give
 * them its start: there only what grew between two points counts. Delta: each point is what happened since its start,
 * or since the point before.
 */
export function counterRate(
  table: MetricTable,
  rows: Int32Array,
  temporality: Temporality,
  valueOf: (row: number) => number = (row) => table.points.value[row]!,
  from: CountsFrom = "process",
): CounterRate {
  return temporality === Temporality.delta ? ofDeltas(table, rows, valueOf) : ofTotals(table, rows, valueOf, from);
}

function ofTotals(
  table: MetricTable,
  rows: Int32Array,
  valueOf: (row: number) => number,
  countsFrom: CountsFrom,
): CounterRate {
  const isMachines = countsFrom === "machine";
  const { timeOffsetNs, startOffsetNs } = table.points;
  const builder = new SignalBuilder();
  const usual = spacingNs(table, rows);
  let [resets, faults] = [0, 0];
  let before = -1;
  for (const row of rows) {
    const value = valueOf(row);
    if (!Number.isFinite(value) || value < 0) {
      faults++;
      continue;
    }
    const time = timeOffsetNs[row]!;
    const start = startOffsetNs[row]!;
    if (before < 0) {
      const isFresh = !isMachines && time - start <= FRESH * usual;
      if (isFresh) builder.add(start, time, value / seconds(start, time));
    } else {
      const beforeTime = timeOffsetNs[before]!;
      // Some exporters move the start a little with every point: it has to lie behind the point before.
      const restarted = !isMachines && start >= beforeTime;
      if (isMachines && value < valueOf(before)) resets++;
      else if (restarted || value < valueOf(before)) {
        resets++;
        const from = restarted && start < time ? start : beforeTime;
        builder.add(from, time, value / seconds(from, time));
      } else builder.add(beforeTime, time, (value - valueOf(before)) / seconds(beforeTime, time));
    }
    before = row;
  }
  return { rate: builder.finish(), resets, faults };
}

function ofDeltas(table: MetricTable, rows: Int32Array, valueOf: (row: number) => number): CounterRate {
  const { timeOffsetNs, startOffsetNs } = table.points;
  const builder = new SignalBuilder();
  const usual = spacingNs(table, rows);
  let faults = 0;
  let before = Number.NaN;
  for (const row of rows) {
    const value = valueOf(row);
    const time = timeOffsetNs[row]!;
    const start = startOffsetNs[row]!;
    // With neither a start nor a point before, the usual distance is the best guess.
    const from = start < time ? start : Number.isNaN(before) ? time - usual : before;
    if (!Number.isFinite(value) || value < 0) faults++;
    else builder.add(from, time, value / seconds(from, time));
    before = time;
  }
  return { rate: builder.finish(), resets: 0, faults };
}

const seconds = (fromNs: number, toNs: number): number => (toNs - fromNs) / 1e9;

/** A gauge: each point holds since the one before, but no longer than three usual distances. `fallbackNs`: of a single point. */
export function gaugeSignal(table: MetricTable, rows: Int32Array, fallbackNs: number): Signal {
  const { timeOffsetNs, value } = table.points;
  const builder = new SignalBuilder();
  const usual = spacingNs(table, rows);
  const length = Number.isNaN(usual) ? fallbackNs : usual;
  let before = Number.NEGATIVE_INFINITY;
  for (const row of rows) {
    const time = timeOffsetNs[row]!;
    const from = before === Number.NEGATIVE_INFINITY ? time - length : Math.max(before, time - 3 * length);
    builder.add(from, time, value[row]!);
    before = time;
  }
  return builder.finish();
}
