import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Report } from "../../model/report.ts";
import { sampleReport } from "../../testing/sample-report.ts";
import { AnswerFiles } from "./answer-files.ts";
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

test("the same question later gets the last answer, which says when and why", async () => {
  const answers = new LastAnswers();
  const report = { ...sampleReport(), live };
  await answers.keep("report", query(900), true, JSON.stringify(report), MADE);
  const given = (await answers.stale("report", query(960), true, "unreachable"))!;
  expect(given.madeUnixNs).toBe(MADE);
  const stale = JSON.parse(given.json) as Report;
  expect(stale.live?.stale).toEqual({ why: "unreachable", madeUnixNs: String(MADE) });
  expect(stale.dataQuality.warnings).toEqual([
    "the store does not answer (unreachable): this is what was answered at 2026-09-21T14:28:20Z",
    ...report.dataQuality.warnings,
  ]);
  expect(stale.findings).toEqual(report.findings);
  const page = { schema: "longpole.page/1", report };
  await answers.keep("page", query(900), true, JSON.stringify(page), MADE);
  const stalePage = JSON.parse((await answers.stale("page", query(900), true, "hung"))!.json) as { report: Report };
  expect(stalePage.report.live?.stale).toEqual({ why: "hung", madeUnixNs: String(MADE) });
});

test("another length, endpoint, kind, or a window of its own is another question", async () => {
  const answers = new LastAnswers();
  await answers.keep("report", query(900), true, JSON.stringify({ ...sampleReport(), live }), MADE);
  for (const [kind, other, endsNow] of [
    ["report", query(900, 60), true],
    ["report", query(900, 900, "orders"), true],
    ["page", query(900), true],
    ["report", query(900), false],
  ] as const) {
    expect(await answers.stale(kind, other, endsNow, "away")).toBeUndefined();
  }
  await answers.keep("report", query(900), false, JSON.stringify({ ...sampleReport(), live }), MADE);
  expect(await answers.stale("report", query(901), false, "away")).toBeUndefined();
  expect(await answers.stale("report", query(900), false, "away")).toBeDefined();
});

test("what was asked longest ago is forgotten when the answers take too much", async () => {
  const answers = new LastAnswers();
  // Random text does not get smaller than three quarters: of 8 MB two fit into 16 MB, and three do not.
  const large = JSON.stringify({ ...sampleReport(), live, padding: randomBytes(6e6).toString("base64") });
  for (const length of [60, 120, 180]) await answers.keep("report", query(900, length), true, large, MADE);
  const held = await Promise.all(
    [60, 120, 180].map(async (length) => (await answers.last("report", query(900, length), true)) !== undefined),
  );
  expect(held).toEqual([false, true, true]);
});

test("an answer that was asked for earlier does not replace a later one", async () => {
  const answers = new LastAnswers();
  await answers.keep("report", query(900), true, '"new"', MADE);
  await answers.keep("report", query(900), true, '"old"', MADE - 1n);
  expect(await answers.last("report", query(900), true)).toEqual({ json: '"new"', madeUnixNs: MADE });
});

describe("after a restart", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "longpole-answers-"))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const told: string[] = [];
  async function restarted(of = "1.0"): Promise<{ answers: LastAnswers; files: AnswerFiles }> {
    const files = new AnswerFiles(folder, of, (_, event) => void told.push(event));
    const answers = new LastAnswers(files);
    await files.settled();
    return { answers, files };
  }

  test("answers of windows that end now are there, with their time; those of windows of their own are not", async () => {
    const before = await restarted();
    await before.answers.keep("page", query(900), true, '"first"', MADE - 5n);
    await before.answers.keep("page", query(900), true, '"now"', MADE);
    await before.answers.keep("page", query(900), false, '"fixed"', MADE);
    await before.files.settled();
    expect(readdirSync(folder)).toHaveLength(1);
    const { answers } = await restarted();
    expect(await answers.last("page", query(1200), true)).toEqual({ json: '"now"', madeUnixNs: MADE });
    expect(await answers.last("page", query(900), false)).toBeUndefined();
  });

  test("answers of another version or store are removed, and what a crash left half written", async () => {
    const before = await restarted();
    await before.answers.keep("page", query(900), true, '"now"', MADE);
    await before.files.settled();
    writeFileSync(join(folder, "half.answer.new"), "{");
    writeFileSync(join(folder, "none.answer"), "no line of JSON");
    const { answers } = await restarted("1.1");
    expect(await answers.last("page", query(900), true)).toBeUndefined();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a damaged one is as if there were none", async () => {
    const before = await restarted();
    await before.answers.keep("page", query(900), true, JSON.stringify("x".repeat(500)), MADE);
    await before.files.settled();
    const file = join(folder, readdirSync(folder)[0]!);
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, bytes.length - 9));
    const { answers, files } = await restarted();
    expect(await answers.last("page", query(900), true)).toBeUndefined();
    await files.settled();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a folder that cannot be written is told, and the answers are kept in memory", async () => {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, "a file");
    const { answers, files } = await restarted();
    await answers.keep("page", query(900), true, '"now"', MADE);
    await files.settled();
    expect(told).toEqual(["answers of before could not be read", "an answer could not be kept for after a restart"]);
    expect((await answers.last("page", query(900), true))?.json).toBe('"now"');
  });
});
