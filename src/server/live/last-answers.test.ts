import { expect, test } from "vitest";
import type { Report } from "../../model/report.ts";
import { sampleReport } from "../../testing/sample-report.ts";
import { LastAnswers } from "./last-answers.ts";
import type { LiveQuery } from "./live-diagnosis.ts";

const SECOND = 1_000_000_000n;
const MADE = 1_790_000_900n * SECOND;

function query(toSecond: number, lengthSeconds = 900, endpoint?: string): LiveQuery {
  const toUnixNs = (1_790_000_000n + BigInt(toSecond)) * SECOND;
  const range = { fromUnixNs: toUnixNs - BigInt(lengthSeconds) * SECOND, toUnixNs };
  return { range, baseline: { kind: "auto" }, objectives: [], ...(endpoint === undefined ? {} : { endpoint }) };
}

const live: Report["live"] = {
  fromUnixNs: "1790000000000000000",
  toUnixNs: String(MADE),
  traceShare: 1,
  spansInWindow: 5,
};

test("the same question later gets the last answer, which says when and why", () => {
  const answers = new LastAnswers();
  const report = { ...sampleReport(), live };
  answers.keep("report", query(900), true, JSON.stringify(report), MADE);
  const stale = JSON.parse(answers.stale("report", query(960), true, "unreachable")!) as Report;
  expect(stale.live?.stale).toEqual({ why: "unreachable", madeUnixNs: String(MADE) });
  expect(stale.dataQuality.warnings).toEqual([
    "the store does not answer (unreachable): this is what was answered at 2026-09-21T14:28:20Z",
    ...report.dataQuality.warnings,
  ]);
  expect(stale.findings).toEqual(report.findings);
  const page = { schema: "longpole.page/1", report };
  answers.keep("page", query(900), true, JSON.stringify(page), MADE);
  const stalePage = JSON.parse(answers.stale("page", query(900), true, "hung")!) as { report: Report };
  expect(stalePage.report.live?.stale).toEqual({ why: "hung", madeUnixNs: String(MADE) });
});

test("another length, endpoint, kind, or a window of its own is another question", () => {
  const answers = new LastAnswers();
  answers.keep("report", query(900), true, JSON.stringify({ ...sampleReport(), live }), MADE);
  for (const [kind, other, endsNow] of [
    ["report", query(900, 60), true],
    ["report", query(900, 900, "orders"), true],
    ["page", query(900), true],
    ["report", query(900), false],
  ] as const) {
    expect(answers.stale(kind, other, endsNow, "away")).toBeUndefined();
  }
  answers.keep("report", query(900), false, JSON.stringify({ ...sampleReport(), live }), MADE);
  expect(answers.stale("report", query(901), false, "away")).toBeUndefined();
  expect(answers.stale("report", query(900), false, "away")).toBeDefined();
});

test("what was asked longest ago is forgotten when the answers take too much", () => {
  const answers = new LastAnswers();
  const large = JSON.stringify({ ...sampleReport(), live, padding: "x".repeat(20e6) });
  for (const length of [60, 120, 180]) answers.keep("report", query(900, length), true, large, MADE);
  expect([60, 120, 180].map((length) => answers.stale("report", query(900, length), true, "") !== undefined)).toEqual([
    false,
    true,
    true,
  ]);
});
