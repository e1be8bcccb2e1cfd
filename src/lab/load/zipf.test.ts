import { expect, test } from "vitest";
import { zipf } from "./zipf.ts";

test("shares are in proportion to rank^-exponent", () => {
  // 1, 1/2, 1/3, 1/4 of 25/12: 0.48, 0.24, 0.16, 0.12; sums 0.48, 0.72, 0.88, 1.
  const rank = zipf(4, 1);
  const cases: [number, number][] = [
    [0, 0],
    [0.4799, 0],
    [0.4801, 1],
    [0.7199, 1],
    [0.7201, 2],
    [0.8799, 2],
    [0.8801, 3],
    [1 - 2 ** -53, 3],
  ];
  for (const [uniform, expected] of cases) expect(rank(uniform), String(uniform)).toBe(expected);
});

test("without an exponent all are alike; one thing is always it", () => {
  expect([0, 0.34, 0.67, 0.99].map(zipf(3, 0))).toEqual([0, 1, 2, 2]);
  expect([0, 0.5, 0.99].map(zipf(1, 0.9))).toEqual([0, 0, 0]);
});
