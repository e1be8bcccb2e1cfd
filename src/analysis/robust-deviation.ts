/** How the values of a quantity usually are. */
export interface Usual {
  readonly median: number;
  /** what lies above the median as a rule: a distance, never below the floor */
  readonly above: number;
  readonly below: number;
  readonly count: number;
}

/** Normal consistency of the median absolute deviation, and the share of a normal distribution within 2.5 of it. */
const MAD_TO_SIGMA = 1.4826;
const WIDTH = 2.5;
/** A tenth of its level is what most quantities of a running system differ by from hour to hour. */
const RELATIVE_FLOOR = 0.1;

/**
 * Median and usual distances of finite values. The distances are the larger of 2.5
 * robust standard deviations and of what the outermost fiftieth of the values reached (the
 * largest of fewer than 50): a quantity that jumps now and then may do so again.
 * `floor`: a distance that is never worth a word. Undefined with fewer than 4 values.
 */
export function usualOf(values: ArrayLike<number>, floor: number): Usual | undefined {
  const sorted = Float64Array.from(values).filter((value) => Number.isFinite(value));
  if (sorted.length < 4) return undefined;
  sorted.sort();
  const median = middle(sorted);
  const distances = sorted.map((value) => Math.abs(value - median));
  distances.sort();
  const spread = WIDTH * MAD_TO_SIGMA * middle(distances);
  const least = Math.max(floor, RELATIVE_FLOOR * Math.abs(median), spread);
  const outer = Math.floor(sorted.length / 50);
  return {
    median,
    above: Math.max(least, sorted[sorted.length - 1 - outer]! - median),
    below: Math.max(least, median - sorted[outer]!),
    count: sorted.length,
  };
}

/**
 * By how many usual distances a value lies above (positive) or below the median:
 * 1 is the edge of the usual.
 */
export function strengthOf(value: number, usual: Usual): number {
  const distance = value - usual.median;
  return distance >= 0 ? distance / usual.above : distance / usual.below;
}

/**
 * Upper bound of the probability to lie at least that far out on one side, for
 * any distribution with one peak: 4 / (9 (1 + z^2)), z in standard deviations
 * (Vysochanskij and Petunin 1980, one-sided), with a usual distance as 2.5 of them.
 */
export function tailBound(strength: number): number {
  const z = WIDTH * Math.abs(strength);
  return z < 1.63 ? 1 : 4 / (9 * (1 + z * z));
}

/** Mean of the largest `count` finite values; NaN with none. */
export function meanOfTop(values: ArrayLike<number>, count: number): number {
  const sorted = Float64Array.from(values).filter((value) => Number.isFinite(value));
  if (sorted.length === 0) return Number.NaN;
  sorted.sort();
  const top = sorted.subarray(Math.max(0, sorted.length - Math.max(1, count)));
  return top.reduce((sum, value) => sum + value, 0) / top.length;
}

/** Of ascending values. */
function middle(sorted: Float64Array): number {
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
