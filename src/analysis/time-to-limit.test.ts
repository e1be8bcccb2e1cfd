import { expect, test } from "vitest";
import { steadySlope, timeToLimit } from "./time-to-limit.ts";

const line = (n: number, of: (i: number) => number): Float64Array => Float64Array.from({ length: n }, (_, i) => of(i));

test("a straight line: its slope, no width, and the time to a limit", () => {
  const slope = steadySlope(
    line(20, (i) => 100 + 5 * i),
    10,
  )!;
  expect(slope).toMatchObject({ value: 0.5, low: 0.5, high: 0.5, last: 190, restarts: 0, seconds: 200 });
  // (500 - 190) / 0.5 per second.
  expect(timeToLimit(slope, 500)).toEqual({ value: 620, low: 620, high: 620 });
  expect(timeToLimit(slope, 150)).toEqual({ value: 0, low: 0, high: 0 });
});

test("a third of outliers does not move it", () => {
  const slope = steadySlope(
    line(30, (i) => (i % 4 === 3 ? 90 + 2 * i : 100 + 2 * i)),
    1,
  )!;
  expect(slope.value).toBeCloseTo(2, 1);
});

test("growth between restarts, not across them", () => {
  const slope = steadySlope(
    line(30, (i) => 100 + 20 * (i % 10)),
    1,
  )!;
  expect(slope).toMatchObject({ value: 20, restarts: 2, last: 260 });
});

test("what only goes up and down has an interval with zero in it, and reaches nothing", () => {
  const slope = steadySlope(
    line(40, (i) => 100 + 10 * ((i * 7) % 5)),
    1,
  )!;
  expect(slope.low).toBeLessThanOrEqual(0);
  expect(slope.high).toBeGreaterThanOrEqual(0);
  expect(timeToLimit(slope, 1000)).toBeUndefined();
});

test("five values, or runs of five, tell nothing; unknown ones are passed over", () => {
  expect(
    steadySlope(
      line(5, (i) => i),
      1,
    ),
  ).toBeUndefined();
  expect(
    steadySlope(
      line(10, (i) => 100 + (i % 5) - (i >= 5 ? 90 : 0)),
      1,
    ),
  ).toBeUndefined();
  expect(
    steadySlope(
      line(14, (i) => (i % 2 === 0 ? Number.NaN : 10 + i)),
      1,
    )!.value,
  ).toBe(1);
});

test("Sen's interval covers the slope of a noisy line about nine times in ten", () => {
  let covered = 0;
  let state = 1;
  const uniform = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let run = 0; run < 200; run++) {
    const noise = (): number => uniform() + uniform() + uniform() + uniform() - 2;
    const slope = steadySlope(
      line(30, (i) => 1000 + 0.1 * i + noise()),
      1,
    )!;
    if (slope.low <= 0.1 && slope.high >= 0.1) covered++;
  }
  // 90 % of 200 within three standard errors of a binomial.
  expect(covered).toBeGreaterThanOrEqual(167);
  expect(covered).toBeLessThanOrEqual(193);
});
