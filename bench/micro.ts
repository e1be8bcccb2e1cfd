/**
 * The micro view on the lab: does the report name the function, system call, statement or setting, and how much of the
 * time inside services does the ledger tell?
 *
 *   npm run bench:micro                                 all faults with something to name, a minute each
 *   npm run bench:micro -- --only hungry-ingest,debug-log --seed 3
 *   npm run bench:micro -- --recordings DIR             keeps the recordings there
 *   npm run bench:micro -- --rescore DIR                diagnoses kept recordings again
 *
 * The first cause of a fault counts; ranks are strict. Without the fix, which `npm run lab` measures.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Subject } from "../src/model/report.ts";
import { FAULTS, faultNamed } from "../src/lab/faults/table.ts";
import { probeNeeds } from "../src/lab/host/probe-needs.ts";
import { readRecording } from "../src/lab/recording/read-recording.ts";
import { diagnosePhase } from "../src/lab/run/diagnose-recording.ts";
import { recordFault } from "../src/lab/run/record-fault.ts";
import { hasSubject, ledgerCoverage, subjectRank, SUBJECTS } from "../src/lab/run/score-micro.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    seed: { type: "string", default: "1" },
    recordings: { type: "string" },
    rescore: { type: "string" },
  },
});

const abort = new AbortController();
process.once("SIGINT", () => abort.abort(new Error("stopped by Ctrl-C")));

interface MicroScore {
  readonly fault: string;
  /** 0: not named */
  readonly rank: number;
  readonly coverage: number | undefined;
}

async function score(folder: string): Promise<MicroScore | undefined> {
  const { truth } = await readRecording(folder);
  // The truth may have been told more exactly since.
  const cause = (FAULTS.find(({ name }) => name === truth.fault) ?? truth).truths[0];
  if (cause === undefined) return undefined;
  const before = join(folder, "before");
  const report = await diagnosePhase(join(folder, "fault"), existsSync(before) ? before : undefined);
  const rank = hasSubject(cause) ? subjectRank(report, cause) : -1;
  const coverage = ledgerCoverage(report);
  const wanted = SUBJECTS.flatMap((key) => (cause[key] === undefined ? [] : [`${key} ${cause[key]}`])).join(" or ");
  const first = report.findings[0];
  const named = first === undefined ? "nothing" : subjectText(first.subject);
  const told = coverage === undefined ? "no ledger" : `${(100 * coverage).toFixed(1)} % told`;
  const at = rank < 0 ? "nothing to name" : rank === 0 ? "NOT NAMED" : `rank ${rank}`;
  console.log(`${truth.fault.padEnd(32)} ${at.padEnd(16)} ${told.padEnd(14)} wanted ${wanted || "-"}`);
  console.log(`${" ".repeat(32)} first: ${first?.mechanism ?? ""} ${named}`);
  return { fault: truth.fault, rank, coverage };
}

function subjectText(subject: Subject): string {
  return (["service", "operation", ...SUBJECTS, "resource"] as const)
    .filter((key) => subject[key] !== undefined)
    .map((key) => `${key} ${subject[key]}`)
    .join(", ");
}

async function runAll(): Promise<MicroScore[]> {
  const needs = await probeNeeds();
  const named = values.only?.split(",").map((name) => faultNamed(name.trim()));
  const faults = named ?? FAULTS.filter(({ truths }) => truths[0] !== undefined && hasSubject(truths[0]));
  const scores: MicroScore[] = [];
  for (const fault of faults) {
    const refused = fault.needs.map((need) => needs[need]).find((why) => why !== undefined);
    if (refused !== undefined) {
      console.log(`${fault.name}: left out, ${refused}`);
      continue;
    }
    const keep = values.recordings;
    const folder =
      keep === undefined
        ? mkdtempSync(join(tmpdir(), "longpole-micro-"))
        : join(resolve(keep), `${fault.name}-${values.seed}`);
    try {
      const how = { seed: Number(values.seed), fix: false, profile: true, signal: abort.signal };
      await recordFault(fault, folder, how);
      const one = await score(folder);
      if (one !== undefined) scores.push(one);
    } catch (error) {
      if (abort.signal.aborted) throw error;
      console.log(`${fault.name} failed: ${error instanceof Error ? error.message : String(error)}`);
      scores.push({ fault: fault.name, rank: 0, coverage: undefined });
    } finally {
      if (keep === undefined) rmSync(folder, { recursive: true, force: true });
    }
  }
  return scores;
}

async function rescore(folder: string): Promise<MicroScore[]> {
  const scores: MicroScore[] = [];
  const wanted = values.only?.split(",");
  for (const name of readdirSync(folder).sort()) {
    if (!existsSync(join(folder, name, "truth.json"))) continue;
    if (wanted !== undefined && !wanted.includes(name.replace(/-\d+$/, ""))) continue;
    const one = await score(join(folder, name));
    if (one !== undefined) scores.push(one);
  }
  return scores;
}

const scores = values.rescore === undefined ? await runAll() : await rescore(resolve(values.rescore));
const judged = scores.filter(({ rank }) => rank >= 0);
const first = judged.filter(({ rank }) => rank === 1).length;
const covered = scores.flatMap(({ coverage }) => coverage ?? []).sort((a, b) => a - b);
console.log(`\nnamed at rank 1: ${first} of ${judged.length}`);
if (covered.length > 0) {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const median = covered[Math.floor(covered.length / 2)]!;
  console.log(
    `time inside services that is told: least ${percent(covered[0]!)}, median ${percent(median)}, ${covered.length} runs`,
  );
}
