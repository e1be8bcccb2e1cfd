import { quantileOfAscending } from "./weighted-quantile.ts";
import { Random } from "./random.ts";

/** What a resource was used for over a stretch of time that is cut into blocks. */
export interface SharedUse {
  /** per block: mean of the resource in use (cores) */
  readonly used: Float64Array;
  /** of that, what no request causes */
  readonly background: number;
  /** per class, per block: work that stands for its part; any unit, not negative */
  readonly work: readonly Float64Array[];
}

/** What each class uses of all resources together, with an interval, and what no class does. */
export interface CostSplit {
  readonly perClass: readonly { readonly value: number; readonly low: number; readonly high: number }[];
  readonly unattributed: number;
  readonly total: number;
}

const RESAMPLES = 200;
const COVERAGE = 0.9;

/**
 * Splits what several resources were used for among classes of requests, in proportion to their work at each of them.
 * The parts and `unattributed` sum to `total`, the mean of what was used, up to rounding. The intervals resample the
 * blocks of time, the same ones for all resources: they tell how steady the split is, not how well work
 * stands for use. Blocks without a finite value count for nothing. `classes`: how many there are.
 */
export function splitCost(resources: readonly SharedUse[], classes: number, seed: number): CostSplit {
  const blocks = resources.reduce((most, { used }) => Math.max(most, used.length), 0);
  const once = new Int32Array(blocks).fill(1);
  const whole = splitOnce(resources, classes, once);
  const random = new Random(seed);
  const samples = Array.from({ length: classes }, () => new Float64Array(RESAMPLES));
  const counts = new Int32Array(blocks);
  for (let i = 0; i < RESAMPLES && blocks > 0; i++) {
    counts.fill(0);
    random.tally(counts, blocks);
    splitOnce(resources, classes, counts).parts.forEach((part, c) => (samples[c]![i] = part));
  }
  const perClass = samples.map((of, c) => {
    const ascending = of.sort();
    const value = whole.parts[c]!;
    return {
      value,
      low: Math.min(value, quantileOfAscending(ascending, (1 - COVERAGE) / 2)),
      high: Math.max(value, quantileOfAscending(ascending, (1 + COVERAGE) / 2)),
    };
  });
  return { perClass, unattributed: whole.unattributed, total: whole.total };
}

function splitOnce(
  resources: readonly SharedUse[],
  classes: number,
  counts: Int32Array,
): { parts: Float64Array; unattributed: number; total: number } {
  const parts = new Float64Array(classes);
  let [unattributed, total] = [0, 0];
  for (const { used, background, work } of resources) {
    let [sum, blocks] = [0, 0];
    const ofClass = new Float64Array(classes);
    used.forEach((value, b) => {
      if (!Number.isFinite(value) || counts[b] === 0) return;
      sum += counts[b]! * value;
      blocks += counts[b]!;
      for (let c = 0; c < classes; c++) ofClass[c]! += counts[b]! * work[c]![b]!;
    });
    if (blocks === 0) continue;
    const mean = sum / blocks;
    const all = ofClass.reduce((a, b) => a + b, 0);
    const shared = all > 0 ? Math.max(0, mean - background) : 0;
    total += mean;
    unattributed += mean - shared;
    if (all > 0) ofClass.forEach((work, c) => (parts[c]! += (shared * work) / all));
  }
  return { parts, unattributed, total };
}
