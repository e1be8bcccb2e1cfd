import { expect, test } from "vitest";
import { ratio } from "../model/units.ts";
import { exponential, lognormal, normal, sampleOf } from "../testing/distributions.ts";
import {
  bootstrapMean,
  bootstrapMeans,
  bootstrapQuantilePairs,
  bootstrapQuantiles,
  bootstrapWindowMeans,
  pairedBootstrap,
  type SparseRows,
} from "./bootstrap.ts";
import { Random } from "./random.ts";
import { sortSample, weightedQuantile, WINDOW_OF_P99 } from "./weighted-quantile.ts";

test("constant data has an interval of no width", () => {
  expect(bootstrapMean(new Float64Array(50).fill(3), undefined, { seed: 1 })).toEqual({ value: 3, low: 3, high: 3 });
  expect(bootstrapQuantiles(new Float64Array(50).fill(3), undefined, [0.5], { seed: 1 })).toEqual([
    { value: 3, low: 3, high: 3 },
  ]);
});

test("the same seed gives the same interval, another one another", () => {
  const random = new Random(1);
  const values = sampleOf(500, () => exponential(random, 1));
  const first = bootstrapQuantiles(values, undefined, [0.5, 0.99], { seed: 7 });
  expect(bootstrapQuantiles(values, undefined, [0.5, 0.99], { seed: 7 })).toEqual(first);
  expect(bootstrapQuantiles(values, undefined, [0.5, 0.99], { seed: 8 })).not.toEqual(first);
});

test("the interval of a mean is the one of the normal theory: +-1.645 standard errors", () => {
  const random = new Random(2);
  const values = sampleOf(2000, () => normal(random));
  const mean = values.reduce((a, b) => a + b) / 2000;
  const error = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / 1999 / 2000);
  const { value, low, high } = bootstrapMean(values, undefined, { seed: 3, resamples: 4000 });
  expect(value).toBeCloseTo(mean, 12);
  expect((high - low) / (2 * 1.645 * error)).toBeCloseTo(1, 1);
});

test("values at the estimate are the weighted mean and the weighted quantile", () => {
  const values = Float64Array.of(1, 2, 3, 10);
  const weights = Float64Array.of(4, 1, 1, 2);
  expect(bootstrapMean(values, weights, { seed: 1 }).value).toBeCloseTo((4 + 2 + 3 + 20) / 8, 12);
  const ps = [0.9, 0.1, 0.5, 0.5, 0.99, 0];
  const estimates = bootstrapQuantiles(values, weights, ps, { seed: 1 });
  ps.forEach((p, i) => expect(estimates[i]!.value).toBeCloseTo(weightedQuantile(values, weights, p), 12));
});

test("every resample's quantiles equal those of the copied-out sample", () => {
  // One resample of level 0 has low = high = the statistic of that resample; the draws are repeated by hand.
  const random = new Random(11);
  const values = sampleOf(37, () => Math.round(exponential(random, 10)));
  const ps = [0.1, 0.5, 0.9, 0.99, 1];
  for (let seed = 0; seed < 30; seed++) {
    const drawn = new Random(seed);
    const sorted = values.toSorted();
    const copy = sampleOf(37, () => sorted[drawn.below(37)]!);
    const estimates = bootstrapQuantiles(values, undefined, ps, { seed, resamples: 1 });
    ps.forEach((p, i) => expect(estimates[i]!.low).toBeCloseTo(weightedQuantile(copy, undefined, p), 9));
  }
});

/** Share of `times` experiments whose interval holds `truth`. */
function coverage(
  times: number,
  truth: number,
  interval: (random: Random, seed: number) => { low: number; high: number },
): number {
  const random = new Random(99);
  let covered = 0;
  for (let i = 0; i < times; i++) {
    const { low, high } = interval(random, i);
    if (low <= truth && truth <= high) covered++;
  }
  return covered / times;
}

// 300 experiments at a true 90 % have a standard error of 1.7 %.
test("90 % intervals cover 85 to 95 %: mean, p50 and p95 of a lognormal", () => {
  const draw = (random: Random) => sampleOf(400, () => lognormal(random, 100, 0.5));
  const mean = 100 * Math.exp(0.125);
  const p95 = 100 * Math.exp(0.5 * 1.6448536);
  const ofMean = coverage(300, mean, (random, seed) => bootstrapMean(draw(random), undefined, { seed }));
  const ofP50 = coverage(300, 100, (random, seed) => bootstrapQuantiles(draw(random), undefined, [0.5], { seed })[0]!);
  const ofP95 = coverage(300, p95, (random, seed) => bootstrapQuantiles(draw(random), undefined, [0.95], { seed })[0]!);
  for (const share of [ofMean, ofP50, ofP95]) {
    expect(share).toBeGreaterThan(0.85);
    expect(share).toBeLessThan(0.95);
  }
});

test("90 % intervals cover with sampling weights: every fast trace of five kept, every slow one", () => {
  const truth = 100;
  const share = coverage(300, truth, (random, seed) => {
    const values: number[] = [];
    const weights: number[] = [];
    for (let i = 0; i < 1500; i++) {
      const value = lognormal(random, 100, 0.5);
      const weight = value >= 150 ? 1 : 5;
      if (weight > 1 && random.uniform() >= 1 / weight) continue;
      values.push(value);
      weights.push(weight);
    }
    return bootstrapQuantiles(Float64Array.from(values), Float64Array.from(weights), [0.5], { seed })[0]!;
  });
  expect(share).toBeGreaterThan(0.85);
  expect(share).toBeLessThan(0.95);
});

test("a paired difference of a constant shift is exact, and far narrower than the two apart", () => {
  const random = new Random(5);
  const now = sampleOf(1000, () => lognormal(random, 100, 0.6));
  const predicted = now.map((x) => x - 20);
  const [pair] = bootstrapQuantilePairs(now, predicted, undefined, [0.99], { seed: 1 });
  expect(pair!.difference.value).toBeCloseTo(-20, 9);
  expect(pair!.difference.low).toBeCloseTo(-20, 9);
  expect(pair!.difference.high).toBeCloseTo(-20, 9);
  expect(pair!.now.high - pair!.now.low).toBeGreaterThan(20);
});

test("a pair whose order changes agrees with two samples resampled by hand", () => {
  const now = Float64Array.of(5, 1, 4, 2, 3);
  const predicted = Float64Array.of(1, 9, 2, 8, 3);
  for (let seed = 0; seed < 20; seed++) {
    const [pair] = bootstrapQuantilePairs(now, predicted, undefined, [0.6], { seed, resamples: 1 });
    const drawn = new Random(seed);
    // sorted positions of `now` are the observations 1, 3, 4, 2, 0
    const chosen = [0, 1, 2, 3, 4].map(() => [1, 3, 4, 2, 0][drawn.below(5)]!);
    expect(pair!.now.low).toBeCloseTo(
      weightedQuantile(
        Float64Array.from(chosen, (i) => now[i]!),
        undefined,
        0.6,
      ),
      12,
    );
    expect(pair!.predicted.low).toBeCloseTo(
      weightedQuantile(
        Float64Array.from(chosen, (i) => predicted[i]!),
        undefined,
        0.6,
      ),
      12,
    );
  }
});

/** Three traces; blame by key 0, 1: {10, 5}, {20, -}, {-, 7 + 8}. */
const blame: SparseRows = {
  rowStart: Int32Array.of(0, 2, 3, 5),
  column: Int32Array.of(0, 1, 0, 1, 1),
  value: Float64Array.of(10, 5, 20, 7, 8),
  columnCount: 3,
};

test("sparse means: absent is 0, twice is added up, weights count", () => {
  const { value, low, high } = bootstrapMeans(blame, Float64Array.of(1, 2, 1), { seed: 1 });
  expect([...value]).toEqual([(10 + 40) / 4, (5 + 15) / 4, 0]);
  expect(low[2]).toBe(0);
  expect(high[0]).toBeLessThanOrEqual(20);
});

test("window means add up to the mean duration in the window", () => {
  // Blames of a trace sum to its duration, so the means of the keys must sum to the mean of the window:
  // of 1000 durations 1 .. 1000, p98 to p99.9 holds 981 .. 999, mean 990.
  const durations = Float64Array.from({ length: 1000 }, (_, i) => 1000 - i);
  const rows: SparseRows = {
    rowStart: Int32Array.from({ length: 1001 }, (_, i) => 2 * i),
    column: Int32Array.from({ length: 2000 }, (_, i) => i % 2),
    value: Float64Array.from({ length: 2000 }, (_, i) => durations[i >> 1]! * (i % 2 === 0 ? 0.25 : 0.75)),
    columnCount: 2,
  };
  const { value, low, high } = bootstrapWindowMeans(sortSample(durations, undefined), WINDOW_OF_P99, rows, { seed: 1 });
  expect(value[0]).toBeCloseTo(990 / 4, 9);
  expect(value[1]).toBeCloseTo((990 * 3) / 4, 9);
  expect(low[1]).toBeLessThan(value[1]!);
  expect(high[1]).toBeGreaterThan(value[1]!);
});

test("an observation partly inside the window counts partly", () => {
  // durations 10, 20, 30 of weight 1, 2, 1; the middle half of the weight is half of the second; from 1/8 it is
  // (1/4 - 1/8) of 10 and 1/2 of 20: (0.125 x 10 + 0.5 x 20) / 0.625 = 18
  const sample = sortSample(Float64Array.of(20, 10, 30), Float64Array.of(2, 1, 1));
  const rows: SparseRows = {
    rowStart: Int32Array.of(0, 1, 2, 3),
    column: new Int32Array(3),
    value: Float64Array.of(20, 10, 30),
    columnCount: 1,
  };
  const mean = (low: number, high: number) =>
    bootstrapWindowMeans(sample, { low: ratio(low), high: ratio(high) }, rows, { seed: 1 }).value[0];
  expect(mean(0.375, 0.625)).toBe(20);
  expect(mean(0.125, 0.75)).toBeCloseTo(18, 12);
});

test("90 % intervals of a window mean cover 85 to 95 %", () => {
  // Mean of an exponential between its quantiles a = 0.98 and b = 0.999:
  // -ln(1 - u) averaged over u in (a, b) = [(1-u) ln(1-u) - (1-u)] from a to b / (b - a).
  const primitive = (u: number) => (1 - u) * Math.log(1 - u) - (1 - u);
  const truth = (primitive(0.999) - primitive(0.98)) / 0.019;
  const share = coverage(300, truth, (random, seed) => {
    const values = sampleOf(1000, () => exponential(random, 1));
    const rows: SparseRows = {
      rowStart: Int32Array.from({ length: 1001 }, (_, i) => i),
      column: new Int32Array(1000),
      value: values,
      columnCount: 1,
    };
    const { low, high } = bootstrapWindowMeans(sortSample(values, undefined), WINDOW_OF_P99, rows, { seed });
    return { low: low[0]!, high: high[0]! };
  });
  expect(share).toBeGreaterThan(0.83);
  expect(share).toBeLessThan(0.96);
});

test.each([undefined, "weighted"])("many predictions of one column: each as if it were the only one (%s)", (how) => {
  const random = new Random(9);
  const now = sampleOf(300, () => Math.ceil(random.uniform() * 50));
  const weights = how === undefined ? undefined : now.map(() => 1 + random.below(3));
  const pair = pairedBootstrap(now, weights, [0.5, 0.95, 0.99], { seed: 5, resamples: 40 });
  for (const factor of [1, 0.5, 2]) {
    const predicted = now.map((value) => value * factor + random.below(4));
    expect(pair(predicted)).toEqual(
      bootstrapQuantilePairs(now, predicted, weights, [0.5, 0.95, 0.99], { seed: 5, resamples: 40 }),
    );
  }
});
