import { describe, expect, it } from "vitest";
import type { Finding, Mechanism, Report, Severity } from "../../model/report.ts";
import { sampleReport } from "../../testing/sample-report.ts";
import type { Truth } from "../faults/fault.ts";
import { alarmsOf, falseAlarmsOf, findingError, limiterIsRight, rankOf, whatIfErrors } from "./score.ts";

const ENDPOINT = { service: "gateway", operation: "GET /x" };
const TRUTH: Truth = {
  service: "zones",
  alsoServices: ["dns"],
  mechanism: "pool-exhausted",
  alsoMechanisms: ["misconfiguration"],
  limiter: { service: "zones", resource: "pool:dns" },
  endpoint: ENDPOINT,
};

describe("ranks", () => {
  it.each<[string, [service: string, mechanism: Mechanism][], [number, number]]>([
    ["first", [["zones", "pool-exhausted"]], [1, 1]],
    ["by another name of the same cause", [["dns", "misconfiguration"]], [1, 1]],
    // the service is named first for another reason; the cause itself comes third
    ["later", [["zones", "slow-code"], ["gateway", "pool-exhausted"], ["zones", "pool-exhausted"]], [1, 3]], // prettier-ignore
    ["the service only", [["gateway", "slow-code"], ["zones", "slow-code"]], [2, 0]], // prettier-ignore
    ["not at all", [["gateway", "pool-exhausted"]], [0, 0]],
    ["nothing found", [], [0, 0]],
  ])("%s", (_, found, [byService, byServiceAndMechanism]) => {
    const report = reportOf(found.map(([service, mechanism], i) => finding(i + 1, service, mechanism)));
    expect(rankOf(report, TRUTH)).toEqual({ byService, byServiceAndMechanism });
  });

  it("go by rank, not by place", () => {
    const report = reportOf([finding(2, "zones", "pool-exhausted"), finding(1, "gateway", "slow-code")]);
    expect(rankOf(report, TRUTH).byServiceAndMechanism).toBe(2);
  });
});

it("counts what is above a note, and of that what accuses others", () => {
  const report = reportOf([
    finding(1, "zones", "pool-exhausted", "critical"),
    finding(2, "gateway", "slow-code", "warning"),
    finding(3, "accounts", "slow-code", "note"),
  ]);
  expect(alarmsOf(report)).toHaveLength(2);
  expect(falseAlarmsOf(report, [TRUTH]).map(({ subject }) => subject.service)).toEqual(["gateway"]);
  expect(falseAlarmsOf(report, [])).toHaveLength(2);
});

describe("the limiter", () => {
  const limited = (service: string, resource: string): Report => ({
    ...reportOf([]),
    throughput: {
      status: "ok",
      detail: "",
      limiter: { service, resource, ceilingPerSecond: 1, lowPerSecond: 1, highPerSecond: 1, utilisation: 1 },
    },
  });
  it.each([
    ["zones", "pool:dns", true],
    ["zones", "pool:127.0.0.1:5432/dns", true],
    ["zones", "cpu", false],
    ["accounts", "pool:dns", false],
  ])("%s %s", (service, resource, right) => {
    expect(limiterIsRight(limited(service, resource), TRUTH)).toBe(right);
  });
  it("is missed where the report names none, and not judged where the truth has none", () => {
    expect(limiterIsRight(reportOf([]), TRUTH)).toBe(false);
    const { limiter: _, ...unlimited } = TRUTH;
    expect(limiterIsRight(limited("zones", "cpu"), unlimited)).toBeUndefined();
  });
});

describe("predictions", () => {
  // predicted 30 ms, measured 40 ms: a quarter too low
  const fixed: Report = { ...reportOf([]), endpoints: [{ ...sampleReport().endpoints[0]!, ...ENDPOINT, p50Ms: 4, p99Ms: 40 }] }; // prettier-ignore
  it("of a finding are held against its own endpoint and metric", () => {
    expect(findingError(finding(1, "zones", "pool-exhausted"), fixed)).toEqual({
      by: "finding",
      metric: "p99",
      nowMs: 100,
      predictedMs: 30,
      lowMs: 25,
      highMs: 35,
      measuredMs: 40,
      error: -0.25,
    });
    expect(findingError(finding(1, "zones", "pool-exhausted"), reportOf([]))).toBeUndefined();
    expect(findingError(undefined, fixed)).toBeUndefined();
  });
  it("of one fix among several is a share of what the fixes before have left", () => {
    // 100 -> 30 ms was said at first; by now 60 ms are left, of which the same share is 18 ms: 22 ms less than measured
    const previous: Report = { ...fixed, endpoints: [{ ...fixed.endpoints[0]!, p99Ms: 60 }] };
    const error = findingError(finding(1, "zones", "pool-exhausted"), fixed, previous)!;
    expect([error.nowMs, error.predictedMs, error.lowMs, error.highMs]).toEqual([60, 18, 15, 21]);
    expect(error.error).toBeCloseTo(-22 / 40);
  });
  it("of what-if are held against the endpoint that suffers", () => {
    const quantile = (predicted: number): object => ({ now: 100, predicted, low: 1, high: 2 });
    const row = { ...ENDPOINT, p50: quantile(5), p95: quantile(9), p99: quantile(50), requests: 9, unit: "ms" };
    const said = { endpoints: [row] } as unknown as Parameters<typeof whatIfErrors>[0];
    // (5 - 4) / 4 and (50 - 40) / 40
    expect(whatIfErrors(said, TRUTH, fixed).map(({ metric, error }) => [metric, error])).toEqual([
      ["p50", 0.25],
      ["p99", 0.25],
    ]);
  });
});

function finding(rank: number, service: string, mechanism: Mechanism, severity: Severity = "warning"): Finding {
  const impact = { endpoint: ENDPOINT, metric: "p99", now: 100, predicted: 30, low: 25, high: 35, unit: "ms" } as const;
  return { ...sampleReport().findings[0]!, rank, severity, subject: { service }, mechanism, impact };
}

function reportOf(findings: readonly Finding[]): Report {
  return { ...sampleReport(), endpoints: [], findings, throughput: { status: "insufficient-data", detail: "" } };
}
