import type { MetricTableBuilder } from "../model/metric-table-builder.ts";

/** An exponential histogram as OTLP has it: bucket i holds (base^(offset+i), base^(offset+i+1)], base = 2^(2^-scale). */
export interface ExponentialBuckets {
  scale: number;
  zeroCount: number;
  zeroThreshold: number;
  positiveOffset: number;
  positive: number[];
  negativeOffset: number;
  negative: number[];
}

/** The specification's limits are -10 .. 20 and 160 buckets; these leave room and bound what a point may cost. */
const MAX_SCALE = 20;
const MIN_SCALE = -11;
const MAX_BUCKETS = 20_000;

/**
 * Adds the buckets to the open point with their upper bounds spelt out. Returns what is wrong, or "".
 * Runs of empty buckets at both ends are left out.
 */
export function addExponentialBuckets(into: MetricTableBuilder, from: ExponentialBuckets): string {
  const { scale, zeroCount, zeroThreshold } = from;
  if (!Number.isInteger(scale) || scale > MAX_SCALE || scale < MIN_SCALE) return `scale ${scale}`;
  if (!(zeroThreshold >= 0)) return `a zero threshold of ${zeroThreshold}`;
  const positive = ends(from.positive);
  const negative = ends(from.negative);
  if (positive.to - positive.from + negative.to - negative.from > MAX_BUCKETS)
    return `more than ${MAX_BUCKETS} buckets`;
  const factor = 2 ** -scale;
  const bound = (index: number): number => 2 ** (index * factor);
  const add = (value: number, count: number): boolean => {
    if (!Number.isFinite(value)) return false;
    into.addBucket(value, count);
    return true;
  };
  if (negative.from < negative.to) {
    // From the most negative on: bucket i reaches from -base^(offset+i+1) to just below -base^(offset+i).
    let sound = add(-bound(from.negativeOffset + negative.to), 0);
    for (let i = negative.to - 1; i >= negative.from; i--) {
      sound &&= add(-bound(from.negativeOffset + i), from.negative[i]!);
    }
    if (!sound) return "bounds beyond the largest double";
  }
  if (zeroCount > 0 || into.openBuckets > 0) into.addBucket(zeroThreshold, zeroCount);
  if (positive.from < positive.to) {
    const first = bound(from.positiveOffset + positive.from);
    let sound = true;
    // The lower bound of the first, where no bucket ends at it or beyond.
    if (first > zeroThreshold || into.openBuckets === 0) sound = add(first, 0);
    for (let i = positive.from; i < positive.to; i++) {
      sound &&= add(bound(from.positiveOffset + i + 1), from.positive[i]!);
    }
    if (!sound) return "bounds beyond the largest double";
  }
  return "";
}

function ends(counts: readonly number[]): { from: number; to: number } {
  let from = 0;
  let to = counts.length;
  while (from < to && counts[from] === 0) from++;
  while (to > from && counts[to - 1] === 0) to--;
  return { from, to };
}
