import fc from "fast-check";
import { expect, test } from "vitest";
import { ascendingOrder } from "./ascending-order.ts";
import {
  observationsAround,
  quantileOfSorted,
  sortSample,
  weightedQuantile,
  WINDOW_OF_P50,
  WINDOW_OF_P99,
} from "./weighted-quantile.ts";

// numpy 2 quantile(), default method "linear" = Hyndman–Fan 7.
test.each([
  { values: [15, 20, 35, 40, 50], p: [0.05, 0.3, 0.4, 0.5, 0.95, 1], expected: [16, 23, 29, 35, 48, 50] },
  {
    values: [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5],
    p: [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1],
    expected: [1, 1, 2.5, 4, 5, 6, 8.7, 9],
  },
  { values: [7], p: [0, 0.5, 0.99], expected: [7, 7, 7] },
])("definition 7 of $values", ({ values, p, expected }) => {
  const sample = sortSample(Float64Array.from(values), undefined);
  p.forEach((q, i) => expect(quantileOfSorted(sample, q)).toBeCloseTo(expected[i]!, 12));
});

// numpy of the repeated sample [10, 10, 10, 20, 30, 30]
test("a weight of 3 counts as three rows", () => {
  const expected = [10, 10, 15, 20, 25, 30];
  [0, 0.2, 0.5, 0.6, 0.7, 0.9].forEach((p, i) => {
    expect(weightedQuantile(Float64Array.of(20, 10, 30), Float64Array.of(1, 3, 2), p)).toBeCloseTo(expected[i]!, 12);
  });
});

const sampleArb = fc.array(fc.tuple(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.integer({ min: 1, max: 5 })), {
  minLength: 1,
  maxLength: 40,
});

test("property: whole weights equal repetition, for every p", () => {
  fc.assert(
    fc.property(sampleArb, fc.double({ min: 0, max: 1, noNaN: true }), (rows, p) => {
      const weighted = weightedQuantile(
        Float64Array.from(rows, (r) => r[0]),
        Float64Array.from(rows, (r) => r[1]),
        p,
      );
      const repeated = rows
        .flatMap(([value, times]) => Array.from({ length: times }, () => value))
        .sort((a, b) => a - b);
      const h = (repeated.length - 1) * p;
      const low = repeated[Math.floor(h)]!;
      const high = repeated[Math.min(repeated.length - 1, Math.floor(h) + 1)]!;
      expect(weighted).toBeCloseTo(low + (h - Math.floor(h)) * (high - low), 5);
    }),
  );
});

test("property: ascending in p, within the range, order of rows irrelevant", () => {
  fc.assert(
    fc.property(
      sampleArb,
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 6 }),
      (rows, ps) => {
        const of = (list: typeof rows) =>
          sortSample(
            Float64Array.from(list, (r) => r[0]),
            Float64Array.from(list, (r) => r[1] * 0.7),
          );
        const sample = of(rows);
        const reversed = of([...rows].reverse());
        const quantiles = [...ps].sort((a, b) => a - b).map((p) => quantileOfSorted(sample, p));
        for (let i = 1; i < quantiles.length; i++)
          expect(quantiles[i]! - quantiles[i - 1]!).toBeGreaterThanOrEqual(-1e-6);
        expect(quantiles[0]!).toBeGreaterThanOrEqual(sample.values[0]!);
        expect(quantiles.at(-1)!).toBeLessThanOrEqual(sample.values.at(-1)!);
        for (const p of ps) expect(quantileOfSorted(reversed, p)).toBeCloseTo(quantileOfSorted(sample, p), 6);
      },
    ),
  );
});

test("fractional weights that miss a whole sum by rounding still reach the last rank", () => {
  // ten times 0.3 sums to 2.9999999999999996; the maximum has rank 3
  const values = Float64Array.from({ length: 10 }, (_, i) => i);
  expect(weightedQuantile(values, new Float64Array(10).fill(0.3), 1)).toBeCloseTo(9, 9);
});

test("empty, NaN and weightless samples are refused", () => {
  expect(() => sortSample(new Float64Array(0), undefined)).toThrow(RangeError);
  expect(() => sortSample(Float64Array.of(1, NaN, 2), undefined)).toThrow(RangeError);
  expect(() => sortSample(Float64Array.of(1, 2), Float64Array.of(0, 0))).toThrow(RangeError);
});

test("ascending order keeps the order of equal values and puts NaN last", () => {
  expect([...ascendingOrder(Float64Array.of(2, NaN, 1, 2, -Infinity, 1))]).toEqual([4, 2, 5, 0, 3, 1]);
});

/** n values, the largest first, so that index and rank differ. */
const descending = (n: number) =>
  sortSample(
    Float64Array.from({ length: n }, (_, i) => n - i),
    undefined,
  );

test("window of p99 of 1000: ranks 981 to 999, without the maximum", () => {
  const around = observationsAround(descending(1000), WINDOW_OF_P99);
  // rank k has its middle at (k - 0.5) / 1000: 0.9805 is the first inside, 0.9985 the last (0.9995 is beyond 0.999)
  expect(around).toEqual({ kind: "window", members: Int32Array.from({ length: 19 }, (_, i) => 1000 - (981 + i)) });
});

test("window of p50 of 1000 holds the middle hundred", () => {
  const around = observationsAround(descending(1000), WINDOW_OF_P50);
  expect(around.kind === "window" && around.members.length).toBe(100);
});

test("199 observations are too few", () => {
  expect(observationsAround(descending(199), WINDOW_OF_P99)).toEqual({
    kind: "insufficient-data",
    have: 199,
    need: 200,
  });
});

test("a weight wider than the window stands for it alone", () => {
  const values = Float64Array.from({ length: 300 }, (_, i) => i);
  const weights = new Float64Array(300).fill(1);
  weights[299] = 1000;
  expect(observationsAround(sortSample(values, weights), WINDOW_OF_P99)).toEqual({
    kind: "window",
    members: Int32Array.of(299),
  });
});
