import { expect, test } from "vitest";
import { ENDPOINT_NAMES } from "./draw-requests.ts";
import { USUAL_LOAD } from "./load-plan.ts";
import { LoadTally } from "./load-tally.ts";

const LOOKUP = ENDPOINT_NAMES.indexOf("lookup");
const POINTS = ENDPOINT_NAMES.indexOf("points");

test("percentiles are those of the recorded values, to a thousandth", () => {
  const tally = new LoadTally();
  // 1, 2 .. 100 ms in an order that is not theirs, and one slow batch of points.
  for (let i = 0; i < 100; i++) tally.answered(LOOKUP, 1 + ((i * 37) % 100));
  tally.answered(POINTS, 2000);
  const { endpoints, all } = tally.result(USUAL_LOAD, 0);
  const within = (found: number, exact: number): void =>
    expect(Math.abs(found - exact)).toBeLessThanOrEqual(exact / 1000);
  const lookup = endpoints.lookup!;
  expect(lookup).toMatchObject({ operation: "GET /api/records/:name", completed: 100 });
  within(lookup.p50Ms, 50);
  within(lookup.p95Ms, 95);
  within(lookup.p99Ms, 99);
  within(lookup.maxMs, 100);
  within(lookup.meanMs, 50.5);
  within(all.maxMs, 2000);
  // (5,050 + 2,000) / 101.
  within(all.meanMs, 69.802);
  expect(Object.keys(endpoints)).toEqual(["lookup", "points"]);
});

test("progress tells the last second alone, and all errors so far", () => {
  const tally = new LoadTally();
  tally.left(0.2);
  tally.left(-0.1);
  tally.answered(LOOKUP, 40);
  tally.failed("http 500");
  expect(tally.progress(1, 9)).toMatchObject({ sent: 2, completed: 1, errors: 1, lastSecond: { completed: 1 } });
  tally.failed("timeout");
  expect(tally.progress(2, 9)).toEqual({
    elapsedSeconds: 2,
    seconds: 9,
    sent: 2,
    completed: 1,
    errors: 2,
    lastSecond: { completed: 0, p50Ms: 0, p99Ms: 0 },
  });
  // Sorted by kind; a request that left early by a rounding is not late.
  const { errors, lateMs } = tally.result(USUAL_LOAD, 0);
  expect(Object.keys(errors)).toEqual(["http 500", "timeout"]);
  expect(lateMs.p50).toBe(0);
});
