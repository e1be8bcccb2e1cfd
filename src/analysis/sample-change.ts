import { fisherExact, mannWhitney } from "./hypothesis-tests.ts";
import { studentTwoSided } from "./special-functions.ts";
import { quantileOfSorted, sortSample, type SortedSample } from "./weighted-quantile.ts";

/** How a sample has grown against an earlier one. */
export interface SampleGrowth {
  /** one-sided in effect: of "no greater than before, neither in the middle nor in the tail" */
  readonly pValue: number;
  /** one-sided, of the mean logarithm being no greater: says more of few observations, but trusts in a lognormal shape */
  readonly logPValue: number;
  readonly before: Quartet;
  readonly now: Quartet;
  /** per observation now: what it would be at its rank in the earlier distribution, never more than it is */
  readonly target: Float64Array;
  /** sum over the observations of now - target */
  readonly excess: number;
  /** sum now / sum of targets; Infinity where the targets are all 0, 1 where nothing grew */
  readonly factor: number;
}

export interface Quartet {
  readonly p10: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** Shares of the pooled sample that count as tail: what befalls one in five or ten, and what befalls one in fifty. */
const TAILS: readonly number[] = [0.2, 0.05];

/**
 * Compares two samples (neither empty, no NaN) for growth. Three tests, joined by Bonferroni: Mann–Whitney for a
 * shift of the whole, and Fisher's for more of the pooled highest fifth, and twentieth, in the second sample, which
 * see what befalls only some. They hold their level whatever the distribution.
 *
 * The target is the rank-preserving map of the second sample onto the first: the k-th smallest of n becomes the
 * first sample's quantile at (k - 1/2) / n, or stays where it is smaller already.
 */
export function growthOf(before: Float64Array, now: Float64Array): SampleGrowth {
  const first = sortSample(before, undefined);
  const second = sortSample(now, undefined);
  const target = new Float64Array(now.length);
  let excess = 0;
  let total = 0;
  let mapped = 0;
  for (let k = 0; k < now.length; k++) {
    const value = second.values[k]!;
    const goal = Math.min(value, quantileOfSorted(first, (k + 0.5) / now.length));
    target[second.order[k]!] = goal;
    excess += value - goal;
    total += value;
    mapped += goal;
  }
  const ranks = mannWhitney(before, now);
  const shift = ranks.secondGreater > 0.5 ? ranks.pValue : 1;
  const tails = TAILS.map((share) => tailGrowth(first, second, share));
  const pValue = Math.min(1, (1 + TAILS.length) * Math.min(shift, ...tails));
  const factor = excess <= 0 ? 1 : mapped > 0 ? total / mapped : Number.POSITIVE_INFINITY;
  return {
    pValue,
    logPValue: logarithmGrowth(first.values, second.values),
    before: quartet(first),
    now: quartet(second),
    target,
    excess,
    factor,
  };
}

/** p-value of the second sample holding no more than its part of the pooled tail. */
function tailGrowth(first: SortedSample, second: SortedSample, share: number): number {
  const n = first.values.length + second.values.length;
  const pooled = new Float64Array(n);
  pooled.set(first.values);
  pooled.set(second.values, first.values.length);
  pooled.sort();
  const limit = pooled[Math.floor((1 - share) * (n - 1))]!;
  const above = (sample: SortedSample): number => sample.values.length - countUpTo(sample.values, limit);
  const a = above(second);
  const c = above(first);
  return fisherExact(a, second.values.length - a, c, first.values.length - c, "greater");
}

/** How many of the ascending values are at most `limit`. */
function countUpTo(ascending: Float64Array, limit: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Below this, differences are those of clocks. */
const LEAST_NS = 1e3;

/** Student's t of the logarithms, with the spread of both samples pooled; 1 where there is no spread to go by. */
function logarithmGrowth(before: Float64Array, now: Float64Array): number {
  const moments = (values: Float64Array): { mean: number; squares: number } => {
    const logs = values.map((value) => Math.log(Math.max(LEAST_NS, value)));
    const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
    return { mean, squares: logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) };
  };
  const first = moments(before);
  const second = moments(now);
  const degrees = before.length + now.length - 2;
  const variance = (first.squares + second.squares) / degrees;
  if (degrees < 1 || variance === 0 || second.mean <= first.mean) return 1;
  const t = (second.mean - first.mean) / Math.sqrt(variance * (1 / before.length + 1 / now.length));
  return studentTwoSided(t, degrees) / 2;
}

const quartet = (sample: SortedSample): Quartet => ({
  p10: quantileOfSorted(sample, 0.1),
  p50: quantileOfSorted(sample, 0.5),
  p90: quantileOfSorted(sample, 0.9),
  p99: quantileOfSorted(sample, 0.99),
});
