import { expect, test } from "vitest";
import { ratioOfSums } from "./ratio-interval.ts";

const of = (...values: number[]): Float64Array => Float64Array.from(values);

test("sums over sums, not the mean of ratios", () => {
  // (1 + 3 + 2 + 2 + 2) / (1 + 9 + 4 + 4 + 2) = 10 / 20.
  expect(ratioOfSums(of(1, 3, 2, 2, 2), of(1, 9, 4, 4, 2), 1)!.value).toBe(0.5);
});

test("the same ratio in all blocks has no width; another in each has one that holds the value", () => {
  expect(ratioOfSums(of(1, 2, 3, 4, 5), of(2, 4, 6, 8, 10), 1)).toEqual({ value: 0.5, low: 0.5, high: 0.5 });
  const wide = ratioOfSums(of(1, 5, 1, 5, 1, 5), of(4, 4, 4, 4, 4, 4), 1)!;
  expect(wide.value).toBe(0.75);
  expect(wide.low).toBeLessThan(0.6);
  expect(wide.high).toBeGreaterThan(0.9);
});

test("four pairs tell nothing, nor does nothing below; unknown ones are left out", () => {
  expect(ratioOfSums(of(1, 1, 1, 1), of(1, 1, 1, 1), 1)).toBeUndefined();
  expect(ratioOfSums(of(1, 1, 1, 1, 1), of(0, 0, 0, 0, 0), 1)).toBeUndefined();
  expect(ratioOfSums(of(1, 1, 1, 1, 1, Number.NaN), of(2, 2, 2, 2, 2, 50), 1)!.value).toBe(0.5);
});
