import { expect, test } from "vitest";
import { overTime, quantile, sum, type Window } from "./over-time.ts";

/** Samples as [seconds, value] in a window from 0 to `end` seconds. */
function window(samples: readonly (readonly [number, number])[], end: number): Window {
  return {
    samples: {
      timeMs: Float64Array.from(samples, ([seconds]) => 1000 * seconds),
      value: Float64Array.from(samples, ([, value]) => value),
    },
    from: 0,
    to: samples.length,
    startMs: 0,
    endMs: 1000 * end,
  };
}

test.each([
  // 10 to 50 s, 40 in all; 10 s to both borders, less than 1.1 intervals of 20 s: the whole minute, 40 * 60 / 40.
  [
    "a counter near both borders",
    [
      [10, 100],
      [30, 120],
      [50, 140],
    ],
    60,
    60,
  ],
  // It was 0 at 5 s, so that the first 5 s had no increase: 40 * (40 + 5 + 10) / 40.
  [
    "a counter that began within",
    [
      [10, 5],
      [30, 25],
      [50, 45],
    ],
    60,
    55,
  ],
  // 20 -> 5 is a reset: 10 + 5 + ...; sum of increases 10 + 5 = 15. Both borders reached.
  [
    "a counter that began anew",
    [
      [0, 10],
      [30, 20],
      [60, 5],
    ],
    60,
    15,
  ],
  // 100 s to the end are more than 11 s: half an interval, 5 s. 20 * (20 + 0 + 5) / 20.
  [
    "a counter that ended",
    [
      [0, 100],
      [10, 110],
      [20, 120],
    ],
    120,
    25,
  ],
] as [string, [number, number][], number, number][])("increase of %s", (_, samples, end, expected) => {
  expect(overTime("increase", window(samples, end), NaN)).toBeCloseTo(expected, 10);
  expect(overTime("rate", window(samples, end), NaN)).toBeCloseTo(expected / end, 10);
});

test("one sample has no increase, and an instant rate after a reset is from nothing", () => {
  expect(overTime("rate", window([[5, 1]], 60), NaN)).toBeUndefined();
  expect(
    overTime(
      "irate",
      window(
        [
          [5, 1],
          [20, 100],
          [30, 40],
        ],
        60,
      ),
      NaN,
    ),
  ).toBe(4);
  expect(
    overTime(
      "idelta",
      window(
        [
          [5, 1],
          [20, 100],
          [30, 40],
        ],
        60,
      ),
      NaN,
    ),
  ).toBe(-60);
});

test("changes, resets, and what is over time", () => {
  const values = window(
    [
      [1, 3],
      [2, 3],
      [3, 1],
      [4, 5],
      [5, 2],
    ],
    60,
  );
  const of = (name: string): number | undefined => overTime(name, values, 0.75);
  expect([of("changes"), of("resets"), of("sum_over_time"), of("count_over_time")]).toEqual([3, 2, 14, 5]);
  expect([of("min_over_time"), of("max_over_time"), of("last_over_time"), of("quantile_over_time")]).toEqual([
    1, 5, 2, 3,
  ]);
  // Mean 2.8; squares 0.04 + 0.04 + 3.24 + 4.84 + 0.64 = 8.8 over 5.
  expect(of("stdvar_over_time")).toBeCloseTo(1.76, 12);
});

test("quantiles lie between ranks, and sums keep what is small", () => {
  expect(quantile(0.5, [4, 1, 3, 2])).toBe(2.5);
  expect([quantile(-1, [1]), quantile(2, [1]), quantile(0.5, [])]).toEqual([-Infinity, Infinity, NaN]);
  expect(sum([1e16, 1, -1e16])).toBe(1);
  expect(sum([Infinity, 1])).toBe(Infinity);
});
