import {
  incompleteBetaInverse,
  logChoose,
  normalUpperQuantile,
  normalUpperTail,
  studentTwoSided,
} from "./special-functions.ts";
import { ascendingOrder } from "./ascending-order.ts";

export type Alternative = "greater" | "less" | "two-sided";

/**
 * Fisher's exact test of a 2 x 2 table {{a, b}, {c, d}} of whole counts, conditional on its margins.
 * "greater": the odds ratio ad / bc exceeds 1. Two-sided: the sum of all tables no more likely than this one (as R).
 * Exact at every size; costs one multiplication per possible table until the terms vanish.
 */
export function fisherExact(a: number, b: number, c: number, d: number, alternative: Alternative): number {
  const rowOne = a + b;
  const columnOne = a + c;
  const total = a + b + c + d;
  const least = Math.max(0, rowOne + columnOne - total);
  const most = Math.min(rowOne, columnOne);
  if (least === most) return 1;
  const own = Math.exp(logChoose(columnOne, a) + logChoose(total - columnOne, rowOne - a) - logChoose(total, rowOne));
  /** P(x + 1) / P(x) */
  const ratio = (x: number): number =>
    ((rowOne - x) * (columnOne - x)) / ((x + 1) * (total - rowOne - columnOne + x + 1));
  // Each tail is summed away from `a`; the smaller one is exact, the other follows from the sum 1.
  const upper = (): number => sumTerms(own, most - a, (i) => ratio(a + i));
  const lower = (): number => sumTerms(own, a - least, (i) => 1 / ratio(a - i - 1));
  const mean = (rowOne * columnOne) / total;
  const greater = a >= mean ? upper() : 1 - lower() + own;
  if (alternative === "greater") return clampRatio(greater);
  const less = a >= mean ? 1 - upper() + own : lower();
  if (alternative === "less") return clampRatio(less);
  return clampRatio(
    a >= mean ? greater + otherTail(own, a, least, ratio, -1) : less + otherTail(own, a, most, ratio, 1),
  );
}

/** own x (1 + step(0) + step(0) step(1) + ...), at most `count` products, until they vanish. */
function sumTerms(own: number, count: number, step: (i: number) => number): number {
  let sum = own;
  let term = own;
  for (let i = 0; i < count; i++) {
    const factor = step(i);
    term *= factor;
    sum += term;
    if (factor < 1 && term < 1e-17 * sum) break;
  }
  return sum;
}

/** Sum of the probabilities on the other side of the mode, up to and including `end`, that don't exceed `own`. */
function otherTail(own: number, a: number, end: number, ratio: (x: number) => number, direction: 1 | -1): number {
  // R allows for rounding by the same factor.
  const limit = own * (1 + 1e-7);
  let probability = own;
  let sum = 0;
  let falling = false;
  for (let x = a; x !== end; x += direction) {
    const factor = direction === 1 ? ratio(x) : 1 / ratio(x - 1);
    probability *= factor;
    if (factor < 1) falling = true;
    if (falling && probability <= limit) sum += probability;
    if (falling && probability < 1e-17 * own) break;
  }
  return sum;
}

export interface TwoProportions {
  /** k2 / n2 - k1 / n1 */
  readonly difference: number;
  /** Newcombe's hybrid score interval (1998, method 10) */
  readonly low: number;
  readonly high: number;
  /** two-sided, pooled z-test */
  readonly pValue: number;
}

/** Compares k1 of n1 with k2 of n2; all n > 0. For few successes `fisherExact` is the test to take. */
export function twoProportions(k1: number, n1: number, k2: number, n2: number, level = 0.95): TwoProportions {
  const difference = k2 / n2 - k1 / n1;
  const first = wilsonInterval(k1, n1, level);
  const second = wilsonInterval(k2, n2, level);
  const pooled = (k1 + k2) / (n1 + n2);
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2));
  return {
    difference,
    low: difference - Math.hypot(k2 / n2 - second.low, first.high - k1 / n1),
    high: difference + Math.hypot(second.high - k2 / n2, k1 / n1 - first.low),
    pValue: error === 0 ? 1 : 2 * normalUpperTail(Math.abs(difference) / error),
  };
}

export interface ProportionInterval {
  readonly low: number;
  readonly high: number;
}

/** Wilson's score interval of k of n: coverage is `level` on the average. */
export function wilsonInterval(k: number, n: number, level: number): ProportionInterval {
  const z = normalUpperQuantile((1 - level) / 2);
  const share = k / n;
  const middle = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  return { low: k === 0 ? 0 : middle - half, high: k === n ? 1 : middle + half };
}

/**
 * Clopper and Pearson's interval of k of n: coverage is at least `level`. Each side errs by at most (1 - level) / 2,
 * so a one-sided 95 % bound is the side of the 90 % interval.
 */
export function clopperPearsonInterval(k: number, n: number, level: number): ProportionInterval {
  const tail = (1 - level) / 2;
  return {
    low: k === 0 ? 0 : incompleteBetaInverse(tail, k, n - k + 1),
    high: k === n ? 1 : incompleteBetaInverse(1 - tail, k + 1, n - k),
  };
}

export interface RankComparison {
  /** Mann–Whitney U of the first sample: pairs in which it is greater, ties counting half */
  readonly u: number;
  /** share of pairs in which the second is greater, ties counting half; 0.5 without a difference */
  readonly secondGreater: number;
  /** two-sided */
  readonly pValue: number;
}

/**
 * Mann–Whitney U test of two samples (none empty, no NaN). Exact without ties and with at most 400 pairs;
 * otherwise the normal approximation with the correction for ties and for continuity.
 */
export function mannWhitney(first: Float64Array, second: Float64Array): RankComparison {
  const n1 = first.length;
  const n2 = second.length;
  const n = n1 + n2;
  const all = new Float64Array(n);
  all.set(first);
  all.set(second, n1);
  const order = ascendingOrder(all);
  let rankSum = 0;
  let ties = 0;
  for (let from = 0; from < n;) {
    let to = from + 1;
    while (to < n && all[order[to]!] === all[order[from]!]) to++;
    const size = to - from;
    ties += size * size * size - size;
    for (let k = from; k < to; k++) if (order[k]! < n1) rankSum += (from + 1 + to) / 2;
    from = to;
  }
  const u = rankSum - (n1 * (n1 + 1)) / 2;
  const pValue = ties === 0 && n1 * n2 <= 400 ? exactRankP(u, n1, n2) : approximateRankP(u, n1, n2, ties);
  return { u, secondGreater: 1 - u / (n1 * n2), pValue };
}

/** Counts the orders of n1 + n2 distinct values by their U (Mann & Whitney's recurrence, 1947). */
function exactRankP(u: number, n1: number, n2: number): number {
  const most = n1 * n2;
  // ways[s]: subsets of i of the first j ranks with sum of excess s; built as products of (1 - q^(n2 + i)) / (1 - q^i)
  const ways = new Float64Array(most + 1);
  ways[0] = 1;
  for (let i = 1; i <= n1; i++) {
    for (let s = most; s >= n2 + i; s--) ways[s]! -= ways[s - n2 - i]!;
    for (let s = i; s <= most; s++) ways[s]! += ways[s - i]!;
  }
  const extreme = Math.max(u, most - u);
  let tail = 0;
  for (let s = extreme; s <= most; s++) tail += ways[s]!;
  return clampRatio((2 * tail) / Math.exp(logChoose(n1 + n2, n1)));
}

function approximateRankP(u: number, n1: number, n2: number, ties: number): number {
  const n = n1 + n2;
  const variance = ((n1 * n2) / 12) * (n + 1 - ties / (n * (n - 1)));
  if (variance <= 0) return 1;
  const distance = Math.max(0, Math.abs(u - (n1 * n2) / 2) - 0.5);
  return clampRatio(2 * normalUpperTail(distance / Math.sqrt(variance)));
}

/** Size, mean and unbiased variance of a sample. */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
}

/**
 * Two-sided p-value of Welch's test that two means are equal; variances may differ. 1 when either sample has fewer
 * than two values. Without any variance: 0 if the means differ, else 1.
 */
export function welchTest(first: Moments, second: Moments): number {
  if (first.count < 2 || second.count < 2) return 1;
  const a = first.variance / first.count;
  const b = second.variance / second.count;
  if (a + b === 0) return first.mean === second.mean ? 1 : 0;
  const freedom = (a + b) ** 2 / ((a * a) / (first.count - 1) + (b * b) / (second.count - 1));
  return studentTwoSided((first.mean - second.mean) / Math.sqrt(a + b), freedom);
}

/** The same by Student's pooled test, which supposes equal variances and so can use a sample of a single value. */
export function studentTest(first: Moments, second: Moments): number {
  const freedom = first.count + second.count - 2;
  if (freedom < 1 || first.count < 1 || second.count < 1) return 1;
  const within = (first.count - 1) * first.variance + (second.count - 1) * second.variance;
  const error = Math.sqrt((within / freedom) * (1 / first.count + 1 / second.count));
  if (error === 0) return first.mean === second.mean ? 1 : 0;
  return studentTwoSided((first.mean - second.mean) / error, freedom);
}

/** Moments of `values[from .. to - 1]`; the variance of fewer than two is 0. */
export function momentsOf(values: Float64Array, from = 0, to: number = values.length): Moments {
  const count = to - from;
  let sum = 0;
  for (let i = from; i < to; i++) sum += values[i]!;
  const mean = sum / count;
  let squares = 0;
  for (let i = from; i < to; i++) squares += (values[i]! - mean) ** 2;
  return { count, mean, variance: count < 2 ? 0 : squares / (count - 1) };
}

function clampRatio(p: number): number {
  return Math.min(1, Math.max(0, p));
}
