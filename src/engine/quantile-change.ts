import { momentsOf } from "../analysis/hypothesis-tests.ts";
import { Random } from "../analysis/random.ts";
import { incompleteBetaInverse } from "../analysis/special-functions.ts";
import { ascendingOrder } from "../analysis/ascending-order.ts";
import { quantileOfSorted, sortSample } from "../analysis/weighted-quantile.ts";
import { mapToFloats } from "../model/map-column.ts";

/** Durations of the requests of one recording, in the order in which they started. */
export interface OrderedSample {
  readonly durationNs: Float64Array;
  /** how many requests each one stands for */
  readonly weights: Float64Array;
}

/** A quantile in two recordings; `low` and `high` bound now - before. */
export interface QuantileChange {
  readonly before: number;
  readonly now: number;
  readonly low: number;
  readonly high: number;
}

/** A quantile of one recording and how uncertain its logarithm is. */
export interface QuantileEstimate {
  readonly value: number;
  /** variance of the natural logarithm of `value` */
  readonly logVariance: number;
  /** blocks that were resampled */
  readonly blocks: number;
}

/**
 * As few as Student's t bears well (30 degrees of freedom for two recordings alike), so that they are long: in an M/M/1
 * queue at 60 % load a busy period of some dozen requests must fit in one. The test measures what that brings.
 */
const BLOCKS = 16;
/** The standard error of a standard error from 400 resamples is 3.5 %. */
const RESAMPLES = 400;

/**
 * Quantiles at each of `ps` of requests in the order of their start (at least one), each with the variance of its
 * logarithm by the block bootstrap (Künsch, Annals of Statistics 1989; here with disjoint blocks, as Carlstein 1986):
 * stretches of consecutive requests are drawn, not single ones. Requests that meet in one queue or one pause are slow
 * together; resampled one by one they would look like independent proofs. O(n log n + resamples x n).
 */
export function quantileEstimates(sample: OrderedSample, ps: readonly number[], seed: number): QuantileEstimate[] {
  const n = sample.durationNs.length;
  const sorted = sortSample(sample.durationNs, sample.weights);
  const blocks = Math.min(n, BLOCKS);
  const block = sorted.order.map((i) => Math.floor((i * blocks) / n));
  const weight = mapToFloats(sorted.order, (i) => sample.weights[i]!);
  const random = new Random(seed);
  const drawn = new Int32Array(blocks);
  const logs = ps.map(() => new Float64Array(RESAMPLES));
  for (let r = 0; r < RESAMPLES; r++) {
    drawn.fill(0);
    random.tally(drawn, blocks);
    const values = drawnQuantiles(sorted.values, weight, block, drawn, ps);
    values.forEach((value, j) => (logs[j]![r] = logOf(value)));
  }
  return ps.map((p, j) => ({ value: quantileOfSorted(sorted, p), logVariance: varianceOf(logs[j]!), blocks }));
}

/** Quantiles of the sample in which each observation stands as often as its block was drawn; by rank, not interpolated. */
function drawnQuantiles(
  sorted: Float64Array,
  weight: Float64Array,
  block: Int32Array,
  drawn: Int32Array,
  ps: readonly number[],
): number[] {
  let total = 0;
  for (let k = 0; k < sorted.length; k++) total += drawn[block[k]!]! * weight[k]!;
  const out = ps.map(() => sorted.at(-1)!);
  const ascending = ascendingOrder(Float64Array.from(ps));
  let next = 0;
  let upTo = 0;
  for (let k = 0; k < sorted.length && next < ascending.length; k++) {
    upTo += drawn[block[k]!]! * weight[k]!;
    while (next < ascending.length && upTo >= ps[ascending[next]!]! * total * (1 - 1e-12)) {
      out[ascending[next++]!] = sorted[k]!;
    }
  }
  return out;
}

/** A request of no time at all has no logarithm: it takes a nanosecond. */
const logOf = (ns: number): number => Math.log(Math.max(1, ns));

/** Of values less the first one, so that equal values have a variance of exactly nothing. */
const varianceOf = (values: Float64Array): number => momentsOf(values.map((value) => value - values[0]!)).variance;

/**
 * The change of a quantile between two independent recordings with an interval that errs with probability `alpha`, both
 * sides together. On the scale of the logarithm: latencies are skewed, and there the errors of the two sides are
 * comparable and add up. Student's t with Welch and Satterthwaite's degrees of freedom, as the variances come from a
 * few blocks.
 */
export function quantileChange(before: QuantileEstimate, now: QuantileEstimate, alpha: number): QuantileChange {
  const log = logOf(now.value) - logOf(before.value);
  const reach = Math.sqrt(before.logVariance + now.logVariance) * studentQuantile(alpha, freedomOf(before, now));
  const at = (shift: number): number => before.value * Math.expm1(log + shift);
  return { before: before.value, now: now.value, low: at(-reach), high: at(reach) };
}

function freedomOf(a: QuantileEstimate, b: QuantileEstimate): number {
  const part = ({ logVariance, blocks }: QuantileEstimate): number =>
    (logVariance * logVariance) / Math.max(1, blocks - 1);
  const parts = part(a) + part(b);
  return parts === 0 ? Math.max(1, a.blocks + b.blocks - 2) : (a.logVariance + b.logVariance) ** 2 / parts;
}

/** t that |T| exceeds with probability `alpha`. */
function studentQuantile(alpha: number, freedom: number): number {
  const x = incompleteBetaInverse(alpha, freedom / 2, 0.5);
  return Math.sqrt((freedom * (1 - x)) / x);
}
