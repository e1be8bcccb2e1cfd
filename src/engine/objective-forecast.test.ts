import { describe, expect, test } from "vitest";
import type { ObjectiveResult } from "../model/report.ts";
import type { Claim } from "./findings.ts";
import type { EndpointView } from "./endpoint-view.ts";
import type { Explanation, SizeGrowth } from "./hot-spot.ts";
import { sizeAtLimit, withObjectiveForecast } from "./objective-forecast.ts";

const MS = 1e6;
/** A millisecond per thousand rows, beside 20 ms of other work. */
const linear = (now: number, perSecond = 0): SizeGrowth => ({
  what: "rows of records",
  now,
  timeAt: (size) => size * 1e3,
  perSecond,
});
const square: SizeGrowth = { what: "points", now: 100, timeAt: (size) => size ** 2 * 1e3, perSecond: 0 };

describe("the size at which a limit is reached", () => {
  test("of time in proportion: 70 ms at 50,000 rows, 100 ms at 80,000", () => {
    expect(sizeAtLimit(linear(50_000), 70 * MS, 100 * MS)).toBeCloseTo(80_000, 3);
  });
  test("of the square: 10 of 40 ms at 100 points; 130 ms where the square takes 100 ms, at the root of 100,000", () => {
    expect(sizeAtLimit(square, 40 * MS, 130 * MS)).toBeCloseTo(Math.sqrt(100_000), 6);
  });
  test("below the present one where the objective is missed: 120 ms at 100,000 rows, 100 ms at 80,000", () => {
    expect(sizeAtLimit(linear(100_000), 120 * MS, 100 * MS)).toBeCloseTo(80_000, 3);
  });
  test("none: other work alone takes longer, or a hundred times the size is too little", () => {
    expect(sizeAtLimit(linear(1000), 120 * MS, 100 * MS)).toBeUndefined();
    expect(sizeAtLimit(linear(1000), 20 * MS, 200 * MS)).toBeUndefined();
  });
});

describe("a claim says when an objective falls", () => {
  const view = { service: "shop", operation: "GET /list" } as EndpointView;
  const claim = (growth?: SizeGrowth): Claim => ({
    view,
    explanation: { why: "It grows.", chain: [], ...(growth === undefined ? {} : { growth }) } as unknown as Explanation,
  });
  const objective = (nowMs: number, more: Partial<ObjectiveResult> = {}): ObjectiveResult => ({
    text: "GET /list p99 < 100ms",
    endpoint: { service: "shop", operation: "GET /list" },
    metric: "p99",
    limitMs: 100,
    nowMs,
    met: nowMs < 100,
    ...more,
  });
  const why = (growth: SizeGrowth, result: ObjectiveResult): string =>
    withObjectiveForecast([claim(growth)], [result])[0]!.explanation.why;

  test("with its pace: 30,000 rows more at 10 a second are 50 minutes", () => {
    expect(why(linear(50_000, 10), objective(70))).toBe(
      'It grows. "GET /list p99 < 100ms" falls at 80,000 rows of records, 1.6× as much as now: in 50 min, if it keeps growing by 10 a second.',
    );
  });
  test("or up to which size it was met", () => {
    expect(why(linear(100_000), objective(120))).toContain("is met again at 80,000 rows of records, and it is 100,000");
  });
  test("not for another endpoint, nor without a law", () => {
    const other = objective(70, { endpoint: { service: "shop", operation: "GET /other" } });
    expect(why(linear(50_000), other)).toBe("It grows.");
    expect(withObjectiveForecast([claim()], [objective(70)])[0]!.explanation.why).toBe("It grows.");
  });
});
