import { expect, test } from "vitest";
import { rankCorrelation, ranks } from "./rank-correlation.ts";

test("ranks: ties share the mean of their places", () => {
  expect([...ranks(Float64Array.of(30, 10, 20, 10))]).toEqual([4, 1.5, 3, 1.5]);
});

test("any growing curve has correlation 1, any falling one -1", () => {
  const x = Float64Array.from({ length: 50 }, (_, i) => i);
  expect(
    rankCorrelation(
      x,
      x.map((v) => v ** 3),
    ),
  ).toBe(1);
  expect(
    rankCorrelation(
      x,
      x.map((v) => -Math.sqrt(v)),
    ),
  ).toBe(-1);
});

test("IQ and hours of television, the worked example of Wikipedia's article: -29/165", () => {
  const iq = Float64Array.of(106, 100, 86, 101, 99, 103, 97, 113, 112, 110);
  const hours = Float64Array.of(7, 27, 2, 50, 28, 29, 20, 12, 6, 17);
  expect(rankCorrelation(iq, hours)).toBeCloseTo(-29 / 165, 12);
});

test("a constant column tells nothing", () => {
  expect(rankCorrelation(Float64Array.of(1, 1, 1, 1), Float64Array.of(1, 2, 3, 4))).toBeNaN();
});
