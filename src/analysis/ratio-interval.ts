import type { Estimate } from "./bootstrap.ts";
import { Random } from "./random.ts";
import { quantileOfAscending } from "./weighted-quantile.ts";
import { mapToFloats } from "../model/map-column.ts";

const RESAMPLES = 400;
/** Fewer blocks do not show how much they differ. */
const MIN_BLOCKS = 5;

/**
 * Sum of `above` over sum of `below`, with a 90 % interval that resamples the blocks of time, pairs kept together. Pairs
 * with a value that is not finite are left out. Undefined with fewer than five, or where `below` sums to nothing.
 */
export function ratioOfSums(above: Float64Array, below: Float64Array, seed: number): Estimate | undefined {
  const known = Array.from(above.keys()).filter((i) => Number.isFinite(above[i]!) && Number.isFinite(below[i]!));
  const n = known.length;
  const once = new Int32Array(n).fill(1);
  const ratio = (counts: Int32Array): number => {
    let [a, b] = [0, 0];
    known.forEach((i, k) => {
      a += counts[k]! * above[i]!;
      b += counts[k]! * below[i]!;
    });
    return b > 0 ? a / b : Number.NaN;
  };
  const value = ratio(once);
  if (n < MIN_BLOCKS || Number.isNaN(value)) return undefined;
  const random = new Random(seed);
  const counts = new Int32Array(n);
  const samples = mapToFloats({ length: RESAMPLES }, () => {
    counts.fill(0);
    random.tally(counts, n);
    return ratio(counts);
  })
    .filter((sample) => !Number.isNaN(sample))
    .sort();
  return {
    value,
    low: Math.min(value, quantileOfAscending(samples, 0.05)),
    high: Math.max(value, quantileOfAscending(samples, 0.95)),
  };
}
