import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Report } from "../src/model/report.ts";
import type { WhatIfReport } from "../src/model/what-if-report.ts";
import { longpole, ROOT } from "./longpole.ts";

/** truth.json of a scenario: what was done to the system, and what was measured in each recording of it. */
interface Truth {
  readonly endpoint: { readonly service: string; readonly operation: string };
  readonly service: string;
  readonly mechanism: string;
  readonly whatIf: string;
  readonly measured: Readonly<
    Record<string, { readonly p50Ms: number; readonly p99Ms: number; readonly count: number }>
  >;
}

const truthOf = (scenario: string): Truth =>
  JSON.parse(readFileSync(join(ROOT, "examples", scenario, "truth.json"), "utf8")) as Truth;

const analyze = (recording: string): Report =>
  JSON.parse(longpole(["analyze", `examples/${recording}`, "--json"]).stdout) as Report;

describe.each(["missing-index", "n-plus-one", "small-pool"])("%s", (scenario) => {
  const truth = truthOf(scenario);
  const faults = Object.keys(truth.measured).filter((name) => name.startsWith("fault"));

  test.each(faults)("%s: the cause is the first finding", (recording) => {
    const report = analyze(`${scenario}/${recording}`);
    expect(report.findings[0]).toMatchObject({
      mechanism: truth.mechanism,
      subject: { service: truth.service },
      impact: { endpoint: truth.endpoint },
    });
    expect(report.findings[0]!.severity).not.toBe("note");
    expect(report.healthy).toBe(false);
    // measured from the same spans by the recorder's own check
    const endpoint = report.endpoints.find(({ operation }) => operation === truth.endpoint.operation)!;
    const measured = truth.measured[recording]!;
    expect(endpoint.requests).toBe(measured.count);
    expect(endpoint.p50Ms / measured.p50Ms).toBeCloseTo(1, 1);
  });

  // The two recordings share no port, process or time: only what the program does may be compared.
  test("fault against fixed: the cause is the first finding", () => {
    const { stdout } = longpole([
      "analyze",
      `examples/${scenario}/fault`,
      "--baseline",
      `examples/${scenario}/fixed`,
      "--json",
    ]);
    const [first] = (JSON.parse(stdout) as Report).findings;
    expect(first).toMatchObject({ mechanism: truth.mechanism, subject: { service: truth.service } });
    expect(first!.severity).not.toBe("note");
    expect(stdout).not.toMatch(/\bNaN\b/);
  });

  test("fixed: no alarm", () => {
    const report = analyze(`${scenario}/fixed`);
    expect(report.findings.filter(({ severity }) => severity !== "note")).toEqual([]);
    expect(report.healthy).toBe(true);
  });

  // How close they come stands in docs/examples-accuracy.md; here only that they are of use.
  test("the fix is predicted: most of the gain, and within a factor of two of what was measured", () => {
    const { stdout } = longpole(["what-if", `examples/${scenario}/fault`, "--change", truth.whatIf, "--json"]);
    const { endpoints } = JSON.parse(stdout) as WhatIfReport;
    const { p50, p99 } = endpoints.find(({ operation }) => operation === truth.endpoint.operation)!;
    const { fault, fixed } = truth.measured;
    for (const [predicted, before, after] of [
      [p50.predicted, fault!.p50Ms, fixed!.p50Ms],
      [p99.predicted, fault!.p99Ms, fixed!.p99Ms],
    ] as const) {
      expect((before - predicted) / (before - after)).toBeGreaterThan(0.75);
      expect(predicted / after).toBeGreaterThan(0.5);
      expect(predicted / after).toBeLessThan(2);
    }
  });
});

test.each(["calm", "busy"])("healthy/%s: no alarm", (recording) => {
  const report = analyze(`healthy/${recording}`);
  expect(report.findings.filter(({ severity }) => severity !== "note")).toEqual([]);
  expect(report.healthy).toBe(true);
});
