import { MetricKind, type MetricTable, Temporality } from "../model/metric-table.ts";
import { counterRate } from "./counter-rates.ts";
import { spacingNs } from "./metric-series.ts";
import { type Signal, SignalBuilder } from "./signal.ts";

/** A histogram or summary over time. */
export interface DistributionSeries {
  /** values per second */
  readonly rate: Signal;
  /** mean of the values of each stretch */
  readonly mean: Signal;
  /** of each stretch, at the quantile asked for; empty where the points have no buckets */
  readonly quantile: Signal;
  readonly resets: number;
  readonly faults: number;
}

/** Fewer points than this that only grow may do so by chance: 8 in order are 1 in 40,320. */
const GROWS_BY_CHANCE = 8;

/**
 * Rate, mean and a quantile of the points `rows` (ascending by time) of one series of
 * distributions: what happened from point to point, so that what a process saw before
 * does not hide what it sees now. A summary's quantiles are taken as they are.
 */
export function distributionSeries(
  table: MetricTable,
  series: number,
  rows: Int32Array,
  quantile: number,
): DistributionSeries {
  const { points } = table;
  const { distribution, distributions } = points;
  const temporality = temporalityOf(table, series, rows);
  const count = counterRate(table, rows, temporality, (row) => distributions.count[distribution[row]!]!);
  const sum = sumRate(table, rows, temporality);
  const isSummary = table.kind[series] === MetricKind.summary;
  return {
    rate: count.rate,
    mean: ratio(sum, count.rate),
    quantile: isSummary
      ? summaryQuantile(table, rows, temporality, quantile)
      : bucketQuantile(table, rows, temporality, quantile, count.rate),
    resets: count.resets,
    faults: count.faults,
  };
}

/** Summaries do not say whether they count since a start or since the point before: theirs is told from the counts. */
function temporalityOf(table: MetricTable, series: number, rows: Int32Array): Temporality {
  const said = table.temporality[series] as Temporality;
  if (said !== Temporality.unspecified) return said;
  const { startOffsetNs, timeOffsetNs, distribution, distributions } = table.points;
  const countOf = (row: number): number => distributions.count[distribution[row]!]!;
  let grows = true;
  let sameStart = true;
  for (let i = 1; i < rows.length; i++) {
    if (countOf(rows[i]!) < countOf(rows[i - 1]!)) grows = false;
    if (!(startOffsetNs[rows[i]!]! < timeOffsetNs[rows[i - 1]!]!)) sameStart = false;
  }
  const isTotal = grows && rows.length > 1 && (sameStart || rows.length >= GROWS_BY_CHANCE);
  return isTotal ? Temporality.cumulative : Temporality.delta;
}

/** Sums may fall where values are negative: only the stretches in which the counts grew are taken, by the same rules. */
function sumRate(table: MetricTable, rows: Int32Array, temporality: Temporality): Signal {
  return counterRate(table, rows, temporality, (row) => table.points.value[row]!).rate;
}

/** a / b where both have the same stretch and b is above zero. */
function ratio(a: Signal, b: Signal): Signal {
  const builder = new SignalBuilder();
  for (let i = 0, j = 0; i < a.value.length && j < b.value.length;) {
    if (a.toNs[i] === b.toNs[j]) {
      if (b.value[j]! > 0) builder.add(b.fromNs[j]!, b.toNs[j]!, a.value[i]! / b.value[j]!);
      i++;
      j++;
    } else if (a.toNs[i]! < b.toNs[j]!) i++;
    else j++;
  }
  return builder.finish();
}

function summaryQuantile(table: MetricTable, rows: Int32Array, temporality: Temporality, quantile: number): Signal {
  const { timeOffsetNs, distribution, distributions } = table.points;
  const { bucketStart, bucketBound, bucketValue } = distributions;
  const builder = new SignalBuilder();
  let before = temporality === Temporality.delta ? timeOffsetNs[rows[0]!]! - spacingNs(table, rows) : Number.NaN;
  for (const row of rows) {
    const d = distribution[row]!;
    // The nearest of those that were sent; there are few, at round shares.
    let best = -1;
    for (let i = bucketStart[d]!; i < bucketStart[d + 1]!; i++) {
      if (best < 0 || Math.abs(bucketBound[i]! - quantile) < Math.abs(bucketBound[best]! - quantile)) best = i;
    }
    const time = timeOffsetNs[row]!;
    if (best >= 0 && !Number.isNaN(before)) builder.add(before, time, bucketValue[best]!);
    before = time;
  }
  return builder.finish();
}

function bucketQuantile(
  table: MetricTable,
  rows: Int32Array,
  temporality: Temporality,
  quantile: number,
  rate: Signal,
): Signal {
  const { timeOffsetNs, distribution } = table.points;
  const builder = new SignalBuilder();
  let stretch = 0;
  for (let i = 0; i < rows.length; i++) {
    const time = timeOffsetNs[rows[i]!]!;
    while (stretch < rate.toNs.length && rate.toNs[stretch]! < time) stretch++;
    if (stretch === rate.toNs.length) break;
    if (rate.toNs[stretch] !== time) continue;
    // Only where the stretch begins at the point before was something counted before it that has to be taken off.
    const continues =
      temporality === Temporality.cumulative && i > 0 && rate.fromNs[stretch] === timeOffsetNs[rows[i - 1]!];
    const older = continues && !fell(table, rows[i - 1]!, rows[i]!) ? distribution[rows[i - 1]!]! : -1;
    builder.add(rate.fromNs[stretch]!, time, quantileOf(table, distribution[rows[i]!]!, older, quantile));
  }
  return builder.finish();
}

function fell(table: MetricTable, before: number, now: number): boolean {
  const { distribution, distributions } = table.points;
  return distributions.count[distribution[now]!]! < distributions.count[distribution[before]!]!;
}

/**
 * Value at the quantile of what distribution `now` counts more than `older` (-1: all of it), linear within its
 * bucket. Where the bounds changed in between, the older counts are read at the newer bounds, linear as well.
 * NaN with nothing counted.
 */
export function quantileOf(table: MetricTable, now: number, older: number, quantile: number): number {
  const { bucketStart, bucketBound, bucketValue, max } = table.points.distributions;
  const from = bucketStart[now]!;
  const to = bucketStart[now + 1]!;
  const grown = new Float64Array(to - from);
  let total = 0;
  let below = 0;
  for (let i = from; i < to; i++) {
    const olderBelow = older < 0 ? 0 : countBelow(table, older, bucketBound[i]!);
    grown[i - from] = Math.max(0, bucketValue[i]! - (olderBelow - below));
    below = olderBelow;
    total += grown[i - from]!;
  }
  if (!(total > 0)) return Number.NaN;
  let rank = quantile * total;
  for (let i = from; i < to; i++) {
    const count = grown[i - from]!;
    if (count === 0 || (rank > count && i + 1 < to)) {
      rank -= count;
      continue;
    }
    const lower = i > from ? bucketBound[i - 1]! : Math.min(0, bucketBound[i]!);
    const upper = Number.isFinite(bucketBound[i]!)
      ? bucketBound[i]!
      : older < 0 && max[now]! > lower
        ? max[now]!
        : lower;
    return lower + (upper - lower) * Math.min(1, rank / count);
  }
  return bucketBound[to - 2] ?? Number.NaN;
}

function countBelow(table: MetricTable, distribution: number, bound: number): number {
  const { bucketStart, bucketBound, bucketValue } = table.points.distributions;
  let sum = 0;
  for (let i = bucketStart[distribution]!; i < bucketStart[distribution + 1]!; i++) {
    const upper = bucketBound[i]!;
    if (upper <= bound) {
      sum += bucketValue[i]!;
      continue;
    }
    const lower = i > bucketStart[distribution]! ? bucketBound[i - 1]! : Math.min(0, upper);
    if (bound > lower && Number.isFinite(upper)) sum += (bucketValue[i]! * (bound - lower)) / (upper - lower);
    break;
  }
  return sum;
}
