import { expect, test } from "vitest";
import type { PairedEstimate } from "../analysis/bootstrap.ts";
import { Random } from "../analysis/random.ts";
import { fitModelError, predictionInterval } from "./prediction-interval.ts";

const pair = (now: number, value: number, reach = 1): PairedEstimate => ({
  now: { value: now, low: now / reach, high: now * reach },
  predicted: { value, low: value / reach, high: value * reach },
  difference: { value: value - now, low: 0, high: 0 },
});
const NONE = { perChange: 0, perStretch: 0 };

test("a measurement of the same length has the sampling error once more: the square root of two as wide", () => {
  const { low, high } = predictionInterval(pair(100, 50, Math.exp(0.1)), 1, NONE);
  expect(low).toBeCloseTo(50 * Math.exp(-0.1 * Math.SQRT2), 9);
  expect(high).toBeCloseTo(50 * Math.exp(0.1 * Math.SQRT2), 9);
});

test("the model's error grows with the change and with how full it is left, and no change has none of the first", () => {
  const error = { perChange: 0.2, perStretch: 0.1 };
  // ln 2 × 0.2, one and two stretches beyond 1 at 0.1, by Pythagoras; 1.645 deviations to either side.
  const reach = Math.exp(1.645 * Math.hypot(0.2 * Math.LN2, 0.2));
  const { low, high } = predictionInterval(pair(100, 50), 3, error);
  expect([low, high]).toEqual([expect.closeTo(50 / reach, 6), expect.closeTo(50 * reach, 6)]);
  expect(predictionInterval(pair(100, 100), 1, error)).toEqual({ value: 100, low: 100, high: 100 });
});

test.each([
  ["nothing", 0],
  ["no number", Number.NaN],
])("of %s nothing is made", (_, value) => {
  expect(predictionInterval(pair(100, value), 2, NONE).value).toBe(value);
});

test("the fit finds the errors that were put in, and its intervals cover nine of ten", () => {
  const random = new Random(7);
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
  const cases = Array.from({ length: 700 }, () => {
    const [change, stretch] = [2 * random.uniform(), 1 + 5 * random.uniform()];
    const told = pair(100 * Math.exp(change), 100, Math.exp(0.05));
    const deviation = Math.hypot((Math.SQRT2 * 0.05) / 1.645, 0.3 * change, 0.02 * (stretch - 1));
    return { pair: told, stretch, measured: 100 * Math.exp(deviation * normal()) };
  });
  const found = fitModelError(cases);
  expect(Math.abs(found.perChange - 0.3)).toBeLessThan(0.05);
  expect(Math.abs(found.perStretch - 0.02)).toBeLessThan(0.015);
  expect(Math.abs(found.covered - 0.9)).toBeLessThan(0.03);
});
