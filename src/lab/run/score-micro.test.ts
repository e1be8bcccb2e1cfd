import { expect, it } from "vitest";
import type { Finding, Report, Subject } from "../../model/report.ts";
import { sampleReport } from "../../testing/sample-report.ts";
import type { Truth } from "../faults/fault.ts";
import { ledgerCoverage, subjectRank } from "./score-micro.ts";

const ENDPOINT = { service: "gateway", operation: "GET /x" };
const truth = (named: Partial<Truth>): Truth => ({
  service: "zones",
  mechanism: "slow-code",
  endpoint: ENDPOINT,
  ...named,
});

const reportOf = (...subjects: (Subject & { change?: string })[]): Report => {
  const report = sampleReport();
  const findings = subjects.map(({ change, ...subject }, i): Finding => ({
    ...report.findings[0]!,
    rank: i + 1,
    subject,
    remedy: { text: "", ...(change === undefined ? {} : { change }) },
  }));
  return { ...report, findings };
};

it.each<[string, (Subject & { change?: string })[], Partial<Truth>, number]>([
  ["the function", [{ service: "zones", frame: "pairwise (conflicts.ts:39)" }], { frame: "pairwise" }, 1],
  ["a method with its class", [{ service: "zones", frame: "Log.line (log.ts:1)" }], { frame: "line" }, 1],
  ["no part of another name", [{ service: "zones", frame: "pairwiseSum (x.ts:1)" }], { frame: "pairwise" }, 0],
  ["another service's", [{ service: "accounts", frame: "pairwise (x.ts:1)" }], { frame: "pairwise" }, 0],
  ["any of what is named", [{ service: "zones", frame: "x", syscall: "fsync" }], { frame: "y", syscall: "fsync" }, 1],
  ["later", [{ service: "zones" }, { service: "zones", syscall: "write" }], { syscall: "write" }, 2],
  [
    "a statement",
    [{ service: "zones", statement: "SELECT  a WHERE b = ?" }],
    { statement: "select a where b = $1" },
    1,
  ],
  ["a setting by its change", [{ service: "zones", change: "pool.max: 2 -> 8" }], { setting: "pool.max" }, 1],
  ["a setting without its owner and unit", [{ service: "zones", setting: "timeout" }], { setting: "db.timeoutMs" }, 1],
  ["no other setting of that owner", [{ service: "zones", setting: "size" }], { setting: "db.timeoutMs" }, 0],
])("%s", (_, subjects, named, rank) => {
  expect(subjectRank(reportOf(...subjects), truth(named))).toBe(rank);
});

it("coverage weighs endpoints by their calls", () => {
  const report = sampleReport();
  const [endpoint] = report.endpoints;
  const one = (requests: number, ownMs: number, explainedShare: number) => ({
    ...endpoint!,
    requests,
    ledger: { ownMs, explainedShare, rows: [] },
  });
  // (100 · 2 · 0.5 + 50 · 4 · 1) / (200 + 200)
  expect(ledgerCoverage({ ...report, endpoints: [one(100, 2, 0.5), one(50, 4, 1)] })).toBe(0.75);
  expect(ledgerCoverage({ ...report, endpoints: [endpoint!] })).toBeUndefined();
});
