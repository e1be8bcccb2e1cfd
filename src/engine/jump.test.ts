import fc from "fast-check";
import { expect, test } from "vitest";
import { jumpAt } from "./jump.ts";

test("a step gives its height", () => {
  expect(jumpAt(Float64Array.of(1, 1, 1, 5, 5, 5), 3)).toBeCloseTo(4, 12);
});

test("a ramp gives nothing, wherever it is cut", () => {
  const ramp = Float64Array.from({ length: 10 }, (_, i) => 3 + 2 * i);
  for (let at = 2; at <= 8; at++) expect(jumpAt(ramp, at)).toBeCloseTo(0, 12);
});

test("trends on both sides are set aside", () => {
  // by hand: left 0, 1, 2 reaches 2.5 at place 2.5; right 10, 9, 8 stood at 10.5 there
  expect(jumpAt(Float64Array.of(0, 1, 2, 10, 9, 8), 3)).toBeCloseTo(8, 12);
});

test("adding any line changes nothing", () => {
  const number = fc.double({ min: -100, max: 100, noNaN: true });
  fc.assert(
    fc.property(fc.array(number, { minLength: 6, maxLength: 20 }), number, number, (values, slope, level) => {
      const y = Float64Array.from(values);
      const tilted = y.map((value, i) => value + slope * i + level);
      expect(jumpAt(tilted, 3)).toBeCloseTo(jumpAt(y, 3), 6);
    }),
    { seed: 5, numRuns: 100 },
  );
});
