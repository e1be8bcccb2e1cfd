import { mannWhitney, momentsOf, studentTest } from "./hypothesis-tests.ts";
import { Random } from "./random.ts";
import { ascendingOrder } from "./ascending-order.ts";
import { mapToFloats } from "../model/map-column.ts";

export interface ChangePointOptions {
  /** highest accepted chance that a series of mere noise shows any change point, default 0.05 */
  readonly pValue?: number;
  /** seed of the permutations, default 1 */
  readonly seed?: number;
  /** fewest samples between two change points or a change point and an end, default 3 */
  readonly minSize?: number;
  /**
   * What is compared; means are reported of the values in any case. "log" suits latencies (all values > 0),
   * "rank" finds shifts of any heavy-tailed series. Default "value".
   */
  readonly scale?: "value" | "log" | "rank";
}

export interface ChangePoint {
  /** first sample after the change */
  readonly index: number;
  /** mean of the values since the change point before it, or the start */
  readonly before: number;
  /** mean of the values until the next change point, or the end */
  readonly after: number;
  /** chance that noise without changes shows a change as clear as this one, anywhere in the series */
  readonly pValue: number;
}

/** Up to here the divergence of every split of the whole series is computed: 5,000 samples take about 0.3 s of CPU. */
const WHOLE_SERIES = 5000;
/** Longer series are searched in half overlapping windows of this length, and as a whole in block means. */
const WINDOW = 1000;

/**
 * Change points of the mean of a series, ascending by index. `values`: in order of time, no NaN.
 *
 * Candidates are found by E-divisive means (Matteson & James, JASA 2014): the split with the greatest energy
 * distance between its sides, then again within the sides. As in Hunter (Fleming et al., ICPE 2023; now Apache
 * Otava) the first pass takes every split that a t-test lets through at a relaxed level, and a second pass
 * removes the weakest point, tests its neighbours anew against the joined sides, and so on until all that remain are
 * significant. Unlike there, the final test allows for the split having been *chosen*: its p-value is the share of
 * permutations of the samples between the neighbouring points that have a split as clear anywhere, corrected for
 * the number of places where such a stretch could have been found. So noise of any distribution is called a change at the rate `pValue`
 * per series, not per test. A rank test of both sides must agree: one spike is no change.
 *
 * Samples are taken to be independent. A slow ramp is answered with a staircase of points. Deterministic.
 */
export function changePoints(values: Float64Array, options: ChangePointOptions = {}): ChangePoint[] {
  const pValue = options.pValue ?? 0.05;
  const minSize = Math.max(2, options.minSize ?? 3);
  const x = scaled(values, options.scale ?? "value");
  const test = new SegmentTest(x, pValue, minSize, options.seed ?? 1);
  const kept = withoutWeak(candidates(x, minSize, Math.min(0.1, 10 * pValue)), x.length, test, pValue);
  return kept.map(({ index, p }, i) => ({
    index,
    before: momentsOf(values, kept[i - 1]?.index ?? 0, index).mean,
    after: momentsOf(values, index, kept[i + 1]?.index ?? values.length).mean,
    pValue: p,
  }));
}

function scaled(values: Float64Array, scale: "value" | "log" | "rank"): Float64Array {
  switch (scale) {
    case "value":
      return values;
    case "log":
      return values.map(Math.log);
    case "rank":
      return midRanks(values);
  }
}

/** Ranks from 1; equal values share their mean rank. */
function midRanks(values: Float64Array): Float64Array {
  const order = ascendingOrder(values);
  const ranks = new Float64Array(values.length);
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    for (let k = from; k < to; k++) ranks[order[k]!] = (from + 1 + to) / 2;
    from = to;
  }
  return ranks;
}

/** Weak change points, ascending: a superset of the answer, from the whole series or from windows of it. */
function candidates(x: Float64Array, minSize: number, weakP: number): number[] {
  const n = x.length;
  if (n <= WHOLE_SERIES) return divide(x, 0, n, minSize, weakP);
  const found = new Set<number>();
  for (let from = 0; from < n; from += WINDOW / 2) {
    for (const index of divide(x, from, Math.min(n, from + WINDOW), minSize, weakP)) found.add(index);
  }
  // Steps too small for a window are seen in block means, to the width of a block; `withoutWeak` places them.
  const block = Math.ceil(n / (WHOLE_SERIES / 2));
  const means = mapToFloats({ length: Math.floor(n / block) }, (_, b) => momentsOf(x, b * block, (b + 1) * block).mean);
  for (const b of divide(means, 0, means.length, 2, weakP)) found.add(b * block);
  return [...found].filter((index) => index >= minSize && index <= n - minSize).sort((a, b) => a - b);
}

/** Splits `x[from .. to - 1]` again and again while the t-test of a split is below `weakP`. */
function divide(x: Float64Array, from: number, to: number, minSize: number, weakP: number): number[] {
  const found: number[] = [];
  const open: [number, number][] = [[from, to]];
  for (let segment = open.pop(); segment !== undefined; segment = open.pop()) {
    const [start, end] = segment;
    const split = bestSplit(x, start, end, minSize, false);
    if (split === undefined) continue;
    if (studentTest(momentsOf(x, start, split.at), momentsOf(x, split.at, split.end)) > weakP) continue;
    found.push(split.at);
    open.push([start, split.at], [split.at, end]);
  }
  return found.sort((a, b) => a - b);
}

interface Split {
  /** first sample of the right side */
  readonly at: number;
  /** end of the right side: the compared stretch may stop before the segment does */
  readonly end: number;
}

/**
 * The split of `x[from .. to - 1]` into from..at-1 and at..end-1 with the greatest scaled energy distance
 *   m k / (m + k) x (2 mean |X - Y| - mean |X - X'| - mean |Y - Y'|),
 * over all `at` and, unless `whole`, all `end`. Undefined when it is too short or nowhere positive.
 * O(n^2) time, O(n) memory: within-side sums grow by one sample at a time.
 */
function bestSplit(x: Float64Array, from: number, to: number, minSize: number, whole: boolean): Split | undefined {
  const n = to - from;
  if (n < 2 * minSize) return undefined;
  /** by start i: sum of |x_j - x_k| over pairs of from+i .. end-1 */
  const inside = new Float64Array(n + 1);
  /** by length i: the same over from .. from+i-1 */
  const prefix = new Float64Array(n + 1);
  let best: Split | undefined;
  let greatest = 0;
  for (let end = 1; end <= n; end++) {
    const last = x[from + end - 1]!;
    let distance = 0;
    for (let i = end - 2; i >= 0; i--) {
      distance += Math.abs(x[from + i]! - last);
      inside[i]! += distance;
    }
    prefix[end] = inside[0]!;
    if (whole && end < n) continue;
    if (end < n && n - end < minSize) continue;
    for (let at = minSize; at <= end - minSize; at++) {
      const right = end - at;
      const across = inside[0]! - prefix[at]! - inside[at]!;
      const divergence =
        ((at * right) / end) *
        ((2 * across) / (at * right) - (2 * prefix[at]!) / (at * (at - 1)) - (2 * inside[at]!) / (right * (right - 1)));
      if (divergence > greatest) {
        greatest = divergence;
        best = { at: from + at, end: from + end };
      }
    }
  }
  return best;
}

interface Tested {
  readonly index: number;
  readonly p: number;
}

/** Removes the least significant point until all are at most `pValue`; places those that remain. */
function withoutWeak(indices: readonly number[], n: number, test: SegmentTest, pValue: number): Tested[] {
  let at = [...indices];
  let p: number[] = [];
  const edge = (i: number): number => (i < 0 ? 0 : i >= at.length ? n : at[i]!);
  const prune = (pValueOf: (from: number, index: number, to: number) => number): void => {
    p = at.map((index, i) => pValueOf(edge(i - 1), index, edge(i + 1)));
    while (at.length > 0) {
      let weakest = 0;
      for (let i = 1; i < p.length; i++) if (p[i]! > p[weakest]!) weakest = i;
      if (p[weakest]! <= pValue) return;
      at = at.toSpliced(weakest, 1);
      p = p.toSpliced(weakest, 1);
      for (const i of [weakest - 1, weakest]) {
        if (i >= 0 && i < at.length) p[i] = pValueOf(edge(i - 1), at[i]!, edge(i + 1));
      }
    }
  };
  prune((from, index, to) => test.simple(from, index, to));
  prune((from, index, to) => test.corrected(from, index, to));
  // The neighbours against which a point was placed are gone: place it between those that remain, once.
  for (let i = 0; i < at.length; i++) at[i] = test.place(edge(i - 1), edge(i + 1)) ?? at[i]!;
  prune((from, index, to) => test.corrected(from, index, to));
  return at.map((index, i) => ({ index, p: p[i]! }));
}

/** Tests a split within a segment of `x`. Every test starts from the same seed, so that their order is irrelevant. */
class SegmentTest {
  private readonly x: Float64Array;
  private readonly pValue: number;
  private readonly minSize: number;
  private readonly seed: number;

  constructor(x: Float64Array, pValue: number, minSize: number, seed: number) {
    this.x = x;
    this.pValue = pValue;
    this.minSize = minSize;
    this.seed = seed;
  }

  /** The split of from .. to - 1 with the greatest energy distance; long segments are not searched again. */
  place(from: number, to: number): number | undefined {
    return to - from > WHOLE_SERIES ? undefined : bestSplit(this.x, from, to, this.minSize, true)?.at;
  }

  /** p-value of the t-test alone: cheap, and too small, as `at` was chosen. */
  simple(from: number, at: number, to: number): number {
    if (Math.min(at - from, to - at) < this.minSize) return 1;
    return studentTest(momentsOf(this.x, from, at), momentsOf(this.x, at, to));
  }

  /** p-value of a change at `at` within from .. to - 1, allowing for the choice of the split and of the segment. */
  corrected(from: number, at: number, to: number): number {
    const student = this.simple(from, at, to);
    if (student > this.pValue) return student;
    const ranks = mannWhitney(this.x.subarray(from, at), this.x.subarray(at, to)).pValue;
    if (ranks > this.pValue) return ranks;
    // Between neighbours the stretch was itself chosen: a side of k samples could have lain at about n / 2k places.
    const n = this.x.length;
    const places = to - from === n ? 1 : n / (2 * Math.min(at - from, to - at));
    // Bonferroni over all splits and places. The rank test holds in any noise, so far below the limit no more is needed.
    const bound = Math.max(student, ranks) * (to - from) * places;
    if (bound <= this.pValue / 1000) return bound;
    const chance = this.permutationP(from, at, to, this.pValue / places);
    const family = -Math.expm1(places * Math.log1p(-Math.min(chance.p, 1 - 1e-12)));
    return chance.exceeded > 0 ? family : Math.min(family, bound);
  }

  /** Share of permutations whose clearest split is at least as clear as `at`; stops once that is surely above `limit`. */
  private permutationP(from: number, at: number, to: number, limit: number): { p: number; exceeded: number } {
    const shuffled = this.x.slice(from, to);
    const n = shuffled.length;
    const mean = momentsOf(shuffled).mean;
    for (let i = 0; i < n; i++) shuffled[i]! -= mean;
    let sum = 0;
    for (let i = 0; i < at - from; i++) sum += shuffled[i]!;
    // Equal arrangements must count as equal in spite of rounding.
    const own = ((sum * sum) / ((at - from) * (to - at))) * (1 - 1e-9);
    const permutations = Math.ceil(Math.max(PERMUTATIONS, 4 / this.pValue));
    const random = new Random(this.seed);
    let exceeded = 0;
    for (let r = 1; r <= permutations; r++) {
      shuffle(shuffled, random);
      if (clearestSplit(shuffled, this.minSize) < own) continue;
      exceeded++;
      if (exceeded > limit * (permutations + 1)) return { p: exceeded / r, exceeded };
    }
    return { p: (exceeded + 1) / (permutations + 1), exceeded };
  }
}

/** Standard error of a p-value of 0.05: 0.007. */
const PERMUTATIONS = 999;

/** Fisher and Yates. */
function shuffle(values: Float64Array, random: Random): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const held = values[i]!;
    values[i] = values[j]!;
    values[j] = held;
  }
}

/** Greatest sum^2 / (left x right) over all splits of values whose mean is 0: grows with the t statistic of a split. */
function clearestSplit(values: Float64Array, minSize: number): number {
  const n = values.length;
  let sum = 0;
  let greatest = 0;
  for (let left = 1; left <= n - minSize; left++) {
    sum += values[left - 1]!;
    if (left >= minSize) greatest = Math.max(greatest, (sum * sum) / (left * (n - left)));
  }
  return greatest;
}
