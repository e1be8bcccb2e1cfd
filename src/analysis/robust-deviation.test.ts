import { describe, expect, test } from "vitest";
import { meanOfTop, strengthOf, tailBound, usualOf } from "./robust-deviation.ts";
import { growthOf } from "./steady-growth.ts";

describe("what is usual", () => {
  test("2.5 robust standard deviations, or what was reached before, or a tenth, or the floor", () => {
    // Median 100, distances 0 to 2: median distance 1, 2.5 * 1.4826 * 1 = 3.7 is below a tenth.
    expect(usualOf([98, 99, 100, 101, 102], 0)).toEqual({ median: 100, above: 10, below: 10, count: 5 });
    // 130 was reached before.
    expect(usualOf([98, 99, 100, 101, 130], 0)).toMatchObject({ above: 30, below: 10 });
    expect(usualOf([0, 0, 0, 0, 0], 0.5)).toMatchObject({ median: 0, above: 0.5 });
    // Median 10, median distance 4: 2.5 * 1.4826 * 4.
    expect(usualOf([2, 6, 10, 14, 18], 0)!.above).toBeCloseTo(14.826);
  });
  test("of a hundred values the two outermost don't count", () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 + (i % 2));
    values[7] = 1e6;
    values[70] = 1e6;
    expect(usualOf(values, 0)!.above).toBeLessThan(11);
  });
  test("too few, or none that are numbers", () => {
    expect(usualOf([1, 2, 3], 0)).toBeUndefined();
    expect(usualOf([1, 2, 3, Number.NaN, Number.POSITIVE_INFINITY], 0)).toBeUndefined();
  });
  test("strength in usual distances, to both sides", () => {
    const usual = { median: 10, above: 2, below: 5, count: 9 };
    expect([strengthOf(14, usual), strengthOf(0, usual)]).toEqual([2, -2]);
  });
});

test("the bound holds for the uniform, normal and exponential distribution", () => {
  // One-sided tails beyond z standard deviations of the mean.
  const z = 2.5;
  expect(tailBound(1)).toBeCloseTo(4 / (9 * (1 + z * z)));
  for (const tail of [0, 0.0062, Math.exp(-(1 + z))]) expect(tailBound(1)).toBeGreaterThan(tail);
  expect(tailBound(0.5)).toBe(1);
});

test("mean of the largest", () => {
  expect(meanOfTop([1, Number.NaN, 5, 3], 2)).toBe(4);
  expect(meanOfTop([7], 0)).toBe(7);
  expect(meanOfTop([], 2)).toBeNaN();
});

describe("steady growth", () => {
  test("a line, a sawtooth that rises, noise", () => {
    const line = growthOf([1, 2, 3, 4, 5, 6, 7, 8])!;
    expect(line).toEqual({ first: 1.5, last: 7.5, increase: 6, factor: 5, tau: 1 });
    // Falls after each third step, but never to where it was.
    const saw = growthOf([1, 3, 5, 3, 5, 7, 5, 7, 9, 7, 9, 11])!;
    expect(saw.tau).toBeGreaterThan(0.7);
    expect(growthOf([5, 3, 6, 4, 5, 3, 6, 4])!.tau).toBeLessThan(0.3);
  });
  test("too few", () => {
    expect(growthOf([1, 2, 3, 4, 5])).toBeUndefined();
  });
});
