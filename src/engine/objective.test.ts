import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EndpointReport } from "../model/report.ts";
import { checkObjectives, endpointWeight, parseObjective, type Objective } from "./objective.ts";

const endpoint = (service: string, operation: string, p99Ms: number, caution?: string): EndpointReport => ({
  service,
  operation,
  requests: 1000,
  perSecond: 10,
  errorRatio: 0,
  p50Ms: p99Ms / 10,
  p95Ms: p99Ms / 2,
  p99Ms,
  ...(caution === undefined ? {} : { caution }),
  blame: [],
});

function objective(text: string): Objective {
  const parsed = parseObjective(text);
  if (parsed.kind === "objective-error") throw new Error(`${text}: expected ${parsed.expected}`);
  return parsed;
}

describe("parseObjective", () => {
  test.each([
    ["GET /orders p99 < 300ms", "GET /orders", "p99", 300],
    ["gateway GET /orders p95 < 1s", "gateway GET /orders", "p95", 1000],
    ["GET /orders  P50<.5 ms", "GET /orders", "p50", 0.5],
    ["poll p99 < 250us", "poll", "p99", 0.25],
    ["poll p99 < 2.5 µs", "poll", "p99", 0.0025],
    ["nightly report p50 < 2min", "nightly report", "p50", 120_000],
    ["a < b p99 < 1ms", "a < b", "p99", 1],
  ])("%s", (text, name, metric, limitMs) => {
    expect(parseObjective(text)).toEqual({ kind: "objective", text, endpoint: name, metric, limitMs });
  });

  test.each([
    ["GET /orders p99", "GET /orders p99", "OPERATION p50|p95|p99 < LIMIT"],
    ["GET /orders p90 < 1s", "p90", "p50, p95 or p99"],
    ["GET /orders < 1s", "/orders", "p50, p95 or p99"],
    ["p99 < 1s", "", "the name of an endpoint"],
    ["GET /orders p99 < 300", "300", "with its unit"],
    ["GET /orders p99 < 300 apples", "300 apples", "with its unit"],
    ["GET /orders p99 < 0ms", "0ms", "above zero"],
    ["GET /orders p99 < -1ms", "-1ms", "above zero"],
    ["GET /orders p99 < ", "", "with its unit"],
    ["", "", "OPERATION p50|p95|p99 < LIMIT"],
  ])("refuses %j and says which part", (text, part, expected) => {
    expect(parseObjective(text)).toEqual({
      kind: "objective-error",
      part,
      expected: expect.stringContaining(expected),
    });
  });

  test("never throws", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        expect(["objective", "objective-error"]).toContain(parseObjective(text).kind);
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});

describe("checkObjectives", () => {
  const endpoints = [endpoint("gateway", "GET /orders", 310), endpoint("admin", "GET /orders", 90)];

  test("an operation of several services is checked at each", () => {
    const results = checkObjectives(endpoints, [objective("GET /orders p99 < 300ms")]);
    expect(results.map((result) => [result.endpoint?.service, result.nowMs, result.met])).toEqual([
      ["gateway", 310, false],
      ["admin", 90, true],
    ]);
  });

  test("the service narrows it", () => {
    const [result, ...rest] = checkObjectives(endpoints, [objective("admin  GET /orders p50 < 9 ms")]);
    expect(rest).toEqual([]);
    // a limit that is just reached is not kept: 9 < 9 does not hold
    expect(result).toMatchObject({ endpoint: { service: "admin" }, metric: "p50", limitMs: 9, nowMs: 9, met: false });
  });

  test("a name that is not there is neither met nor missed, and the nearest is named", () => {
    expect(checkObjectives(endpoints, [objective("GET /order p99 < 1s")])).toEqual([
      {
        text: "GET /order p99 < 1s",
        endpoint: null,
        metric: "p99",
        limitMs: 1000,
        nowMs: null,
        met: null,
        detail: "no endpoint of this report is named GET /order; the nearest is GET /orders",
      },
    ]);
  });

  test("too few requests are told with the result", () => {
    const [result] = checkObjectives([endpoint("a", "b", 5, "only 12 traces")], [objective("b p99 < 1s")]);
    expect(result).toMatchObject({ met: true, detail: "only 12 traces" });
  });
});

test("an endpoint whose objective is missed counts three times its traffic", () => {
  const view = { service: "gateway", operation: "GET /orders", traffic: 0.25 };
  const results = (limit: string): ReturnType<typeof checkObjectives> =>
    checkObjectives([endpoint("gateway", "GET /orders", 310)], [objective(`GET /orders p99 < ${limit}`)]);
  expect(endpointWeight(view, [])).toBe(0.25);
  expect(endpointWeight(view, results("1s"))).toBe(0.25);
  expect(endpointWeight(view, results("300ms"))).toBe(0.75);
  expect(endpointWeight({ ...view, service: "admin" }, results("300ms"))).toBe(0.25);
});
