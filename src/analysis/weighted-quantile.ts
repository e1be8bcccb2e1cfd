import { ratio, type Ratio } from "../model/units.ts";
import { ascendingOrder } from "./ascending-order.ts";

/** A sample in ascending order, with what is needed to read quantiles off it. */
export interface SortedSample {
  /** ascending */
  readonly values: Float64Array;
  /** per sorted position: index of the observation in the caller's columns; ties in the caller's order */
  readonly order: Int32Array;
  /** per sorted position: sum of the weights up to and including it */
  readonly cumulative: Float64Array;
  readonly totalWeight: number;
}

/**
 * Weighted quantile of `values` at `p`: Hyndman–Fan definition 7 (the default of R, NumPy and Excel) of the
 * sample in which observation i stands `weights[i]` times.
 *
 * weights: how many observations each one stands for (1 / sampling probability); absent: 1 each. They may be
 * fractions, but their sum W should be a count. With h = 1 + (W - 1)p the result lies between the values of
 * rank floor(h) and floor(h) + 1, where the value of rank r is the first whose cumulative weight reaches r. So
 * unit weights give exactly definition 7, and a weight of 3 gives exactly what three rows would
 * (F. Harrell's wtd.quantile in the R package Hmisc uses the same definition).
 *
 * values: at least one, none NaN. p in 0 .. 1.
 */
export function weightedQuantile(values: Float64Array, weights: Float64Array | undefined, p: number): number {
  return quantileOfSorted(sortSample(values, weights), p);
}

/** Sorts once for several quantiles or windows of the same sample. Throws RangeError when it is empty or has NaN. */
export function sortSample(values: Float64Array, weights: Float64Array | undefined): SortedSample {
  const n = values.length;
  if (n === 0) throw new RangeError("quantiles of an empty sample");
  const order = ascendingOrder(values);
  const sorted = new Float64Array(n);
  const cumulative = new Float64Array(n);
  let sum = 0;
  for (let k = 0; k < n; k++) {
    sorted[k] = values[order[k]!]!;
    sum += weights === undefined ? 1 : weights[order[k]!]!;
    cumulative[k] = sum;
  }
  if (Number.isNaN(sorted[n - 1]!)) throw new RangeError("NaN in a sample");
  if (!(sum > 0)) throw new RangeError(`the weights of a sample sum to ${sum}`);
  return { values: sorted, order, cumulative, totalWeight: sum };
}

/** The quantile at `p` of a sorted sample, as `weightedQuantile` defines it. */
export function quantileOfSorted(sample: SortedSample, p: number): number {
  const { rank, fraction } = quantileRank(sample.totalWeight, p);
  const low = sample.values[positionOfRank(sample, rank)]!;
  if (fraction === 0) return low;
  const high = sample.values[positionOfRank(sample, rank + 1)]!;
  return low + fraction * (high - low);
}

/** The quantile at `p` of unweighted `values` (at least one, no NaN): a plain sort, some 10 times as fast as `sortSample`. */
export function quantileOf(values: Float64Array, p: number): number {
  if (values.length === 0) throw new RangeError("quantiles of an empty sample");
  const sorted = values.slice().sort();
  if (Number.isNaN(sorted.at(-1)!)) throw new RangeError("NaN in a sample");
  return quantileOfAscending(sorted, p);
}

/** The quantile at `p` of unweighted values that are ascending already. */
export function quantileOfAscending(sorted: Float64Array, p: number): number {
  const { rank, fraction } = quantileRank(sorted.length, p);
  const low = sorted[rank - 1]!;
  return fraction === 0 ? low : low + fraction * (sorted[rank]! - low);
}

/** Rank (from 1) below the quantile at `p`, and how far towards the next rank it lies. */
export function quantileRank(totalWeight: number, p: number): { rank: number; fraction: number } {
  const h = 1 + Math.max(0, totalWeight - 1) * p;
  const rank = Math.floor(h);
  return { rank, fraction: h - rank };
}

/** Part of a distribution, as shares of the weight: p98–p99.9 is {low: 0.98, high: 0.999}. */
export interface PercentileWindow {
  readonly low: Ratio;
  readonly high: Ratio;
}

/** Which observations stand for a percentile, when their other properties are averaged. */
export const WINDOW_OF_P50: PercentileWindow = { low: ratio(0.45), high: ratio(0.55) };
/** Stops short of the maximum: the one slowest trace of a thousand is mostly another story. */
export const WINDOW_OF_P99: PercentileWindow = { low: ratio(0.98), high: ratio(0.999) };

/** Fewest observations whose p99 window is looked at: below 200 it would hold fewer than 4. */
export const MIN_FOR_WINDOW = 200;

/** The wanted number cannot be given from this much data. */
export interface InsufficientData {
  readonly kind: "insufficient-data";
  readonly have: number;
  readonly need: number;
}

export interface WindowMembers {
  readonly kind: "window";
  /** indices of the observations, ascending by value */
  readonly members: Int32Array;
}

/**
 * The observations around a percentile: those whose middle of weight lies in the window, that is
 * `low <= (cumulative weight before it + half its own) / total weight <= high`.
 * Ties are cut in the caller's order. The window of p99 of 10,000 equal weights has 190 members.
 */
export function observationsAround(sample: SortedSample, window: PercentileWindow): WindowMembers | InsufficientData {
  const n = sample.values.length;
  if (n < MIN_FOR_WINDOW) return { kind: "insufficient-data", have: n, need: MIN_FOR_WINDOW };
  let from = n;
  let to = n;
  let before = 0;
  for (let k = 0; k < n; k++) {
    const middle = (before + sample.cumulative[k]!) / 2;
    if (from === n && middle >= window.low * sample.totalWeight) from = k;
    if (middle > window.high * sample.totalWeight) {
      to = k;
      break;
    }
    before = sample.cumulative[k]!;
  }
  // A single weight can be wider than the window: then the one that covers its middle stands for it.
  if (from >= to) {
    from = positionOfRank(sample, ((window.low + window.high) / 2) * sample.totalWeight);
    to = from + 1;
  }
  return { kind: "window", members: sample.order.slice(from, to) };
}

/** First sorted position whose cumulative weight reaches `rank`; the last one if none does. */
function positionOfRank(sample: SortedSample, rank: number): number {
  // Sums of fractional weights miss a whole rank by rounding.
  const goal = rank - 1e-12 * sample.totalWeight;
  let low = 0;
  let high = sample.cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sample.cumulative[middle]! >= goal) high = middle;
    else low = middle + 1;
  }
  return low;
}
