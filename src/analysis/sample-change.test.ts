import fc from "fast-check";
import { expect, test } from "vitest";
import { mannWhitney } from "./hypothesis-tests.ts";
import { growthOf } from "./sample-change.ts";

const sample = fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 2, maxLength: 60 });

test("the target is the earlier quantile of the same rank, and no more than the value itself", () => {
  // Ranks of now, ascending: 5, 50, 70, 80 at 1/8, 3/8, 5/8, 7/8 of 10..50: 10 + 40 p = 15, 25, 35, 45.
  const growth = growthOf(Float64Array.of(10, 20, 30, 40, 50), Float64Array.of(80, 5, 70, 50));
  expect([...growth.target]).toEqual([45, 5, 35, 25]);
  expect(growth.excess).toBe(35 + 0 + 35 + 25);
  expect(growth.factor).toBeCloseTo(205 / 110, 12);
});

test("a shift of all shows in the ranks, of one in twenty-five in the tail, a fall in neither", () => {
  const before = Float64Array.from({ length: 500 }, (_, i) => 100 + (i % 60));
  const shifted = before.map((value) => value + 30);
  const spiked = before.map((value, i) => (i % 25 === 0 ? value + 500 : value));
  expect(growthOf(before, shifted).pValue).toBeLessThan(1e-6);
  expect(mannWhitney(before, spiked).pValue).toBeGreaterThan(0.05);
  expect(growthOf(before, spiked).pValue).toBeLessThan(0.01);
  expect(growthOf(shifted, before).pValue).toBe(1);
});

test("one observation out of all proportion is told by its logarithm only", () => {
  const before = Float64Array.of(1.4e6, 1.6e6, 1.8e6, 1.9e6, 2e6, 2.2e6);
  const growth = growthOf(before, Float64Array.of(99e6));
  expect(growth.pValue).toBeGreaterThan(0.1);
  expect(growth.logPValue).toBeLessThan(1e-5);
});

test("laws: targets never exceed and keep the order; nothing grows against itself", () => {
  fc.assert(
    fc.property(sample, sample, (first, second) => {
      const now = Float64Array.from(second);
      const { target, excess, pValue } = growthOf(Float64Array.from(first), now);
      let sum = 0;
      for (let i = 0; i < now.length; i++) {
        expect(target[i]).toBeLessThanOrEqual(now[i]!);
        sum += now[i]! - target[i]!;
        for (let j = 0; j < i; j++) if (now[i]! < now[j]!) expect(target[i]).toBeLessThanOrEqual(target[j]!);
      }
      expect(excess).toBeCloseTo(sum, 3);
      expect(pValue).toBeGreaterThanOrEqual(0);
      expect(pValue).toBeLessThanOrEqual(1);
    }),
    { seed: 7 },
  );
  fc.assert(
    fc.property(sample, (values) => {
      const same = Float64Array.from(values);
      expect(growthOf(same, same).pValue).toBeGreaterThan(0.5);
    }),
    { seed: 8 },
  );
});
