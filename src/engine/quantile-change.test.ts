import { expect, test } from "vitest";
import { Random } from "../analysis/random.ts";
import { lognormal, normal, sampleOf } from "../testing/distributions.ts";
import { quantileChange, quantileEstimates, type OrderedSample } from "./quantile-change.ts";

const unweighted = (durationNs: Float64Array): OrderedSample => ({
  durationNs,
  weights: new Float64Array(durationNs.length).fill(1),
});

/** Share of pairs of like samples whose interval leaves out zero, by quantile. */
function falseAlarms(
  draw: (random: Random) => Float64Array,
  ps: readonly number[],
  alpha: number,
  pairs: number,
): number[] {
  const wrong = ps.map(() => 0);
  for (let pair = 0; pair < pairs; pair++) {
    const random = new Random(pair + 1);
    const before = quantileEstimates(unweighted(draw(random)), ps, 1);
    const now = quantileEstimates(unweighted(draw(random)), ps, 2);
    ps.forEach((_, i) => {
      const { low, high } = quantileChange(before[i]!, now[i]!, alpha);
      if (low > 0 || high < 0) wrong[i]!++;
    });
  }
  return wrong.map((count) => count / pairs);
}

test("independent requests: as many false alarms as accepted", () => {
  const draw = (random: Random): Float64Array => sampleOf(500, () => 1e6 * lognormal(random, 5, 0.6));
  // 5 % of 200 pairs are 10; 22 or more have a chance of 0.05 %
  for (const share of falseAlarms(draw, [0.5, 0.95], 0.05, 200)) expect(share).toBeLessThan(0.11);
});

test("requests that are slow together: few more, where single ones would give many", () => {
  // a slow wave: correlation 0.95 from one request to the next, so that some 20 share their luck
  const draw = (random: Random): Float64Array => {
    let wave = 0;
    return sampleOf(1000, () => {
      wave = 0.95 * wave + Math.sqrt(1 - 0.95 ** 2) * normal(random);
      return 1e6 * Math.exp(0.4 * wave + 0.5 * normal(random));
    });
  };
  for (const share of falseAlarms(draw, [0.5, 0.95], 0.05, 150)) expect(share).toBeLessThan(0.16);
});

test("a difference that is there is seen", () => {
  const random = new Random(3);
  const sample = (median: number): OrderedSample =>
    unweighted(sampleOf(2000, () => 1e6 * lognormal(random, median, 0.5)));
  const [before] = quantileEstimates(sample(10), [0.5], 1);
  const [now] = quantileEstimates(sample(12), [0.5], 1);
  const { low, high } = quantileChange(before!, now!, 0.01);
  expect(low).toBeGreaterThan(0);
  expect(low).toBeLessThan(2e6);
  expect(high).toBeGreaterThan(2e6);
});

test("the same sample twice: nothing, and the interval lies around it", () => {
  const random = new Random(4);
  const sample = unweighted(sampleOf(300, () => 1e6 * lognormal(random, 10, 0.5)));
  const [one] = quantileEstimates(sample, [0.95], 7);
  const { before, now, low, high } = quantileChange(one!, one!, 0.05);
  expect(now - before).toBe(0);
  expect(low).toBeLessThan(0);
  expect(high).toBeGreaterThan(0);
});

test("constant times, times of nothing and single requests", () => {
  const [constant] = quantileEstimates(unweighted(new Float64Array(100).fill(5e6)), [0.5], 1);
  expect(constant).toMatchObject({ value: 5e6, logVariance: 0 });
  const change = quantileChange(constant!, constant!, 0.01);
  expect([change.low, change.high].map(Math.abs)).toEqual([0, 0]);
  const [nothing] = quantileEstimates(unweighted(new Float64Array(100)), [0.99], 1);
  expect(nothing).toMatchObject({ value: 0, logVariance: 0 });
  const [single] = quantileEstimates(unweighted(Float64Array.of(7)), [0.99], 1);
  expect(single).toEqual({ value: 7, logVariance: 0, blocks: 1 });
  expect(quantileChange(single!, constant!, 0.01).low).toBeGreaterThan(0);
});

test("a request of weight 3 counts as three", () => {
  const durationNs = Float64Array.of(1, 2, 3, 4);
  const [weighted] = quantileEstimates({ durationNs, weights: Float64Array.of(1, 1, 1, 3) }, [0.5], 1);
  // of 1 2 3 4 4 4: half-way between 3 and 4
  expect(weighted!.value).toBe(3.5);
});
