/**
 * All faults of the lab, unattended: each is run on the sample system, recorded, diagnosed, mended and measured.
 *
 *   npm run lab                                    all faults, then 20 healthy runs
 *   npm run lab -- --only small-pool,retries --seed 3 --repeat 2
 *   npm run lab -- --recordings DIR                keeps the recordings there
 *   npm run lab -- --recordings DIR --record-only  and diagnoses nothing yet
 *   npm run lab -- --quick                         the fix only where what-if has words for it, profiles only where they tell the cause
 *   npm run lab -- --rescore DIR                   diagnoses kept recordings again, without running anything
 *   npm run lab -- --json FILE --compare OLD.json  writes the scores, and exits with 1 where they became worse
 *   npm run lab -- --overhead 5                    what observing costs, in 5 pairs with and without
 *
 * Ranks are strict and ordinal. What this machine does not allow is told and left out of the shares.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Fault } from "../src/lab/faults/fault.ts";
import { FAULTS, faultNamed } from "../src/lab/faults/table.ts";
import { probeNeeds } from "../src/lab/host/probe-needs.ts";
import { measureOverhead } from "../src/lab/run/overhead.ts";
import { recordFault } from "../src/lab/run/record-fault.ts";
import { scoreRecording, type RunScore } from "../src/lab/run/score-recording.ts";
import {
  LAB_SCORES_SCHEMA,
  summarise,
  tableOf,
  worsened,
  type FailedRun,
  type LabScores,
} from "../src/lab/run/summary.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    seed: { type: "string", default: "1" },
    repeat: { type: "string", default: "1" },
    healthy: { type: "string", default: "20" },
    seconds: { type: "string" },
    recordings: { type: "string" },
    "record-only": { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    rescore: { type: "string" },
    json: { type: "string" },
    compare: { type: "string" },
    overhead: { type: "string" },
  },
});

const abort = new AbortController();
process.once("SIGINT", () => abort.abort(new Error("stopped by Ctrl-C")));

async function main(): Promise<void> {
  if (values.overhead !== undefined) {
    const { cpuMs, p50Ms, pairs } = await measureOverhead(faultNamed("healthy"), Number(values.overhead), abort.signal);
    for (const [what, { observed, unobserved }] of Object.entries({ "CPU per request": cpuMs, p50: p50Ms })) {
      const ratio = (observed / unobserved).toFixed(2);
      console.log(
        `${what}: ${observed.toFixed(2)} ms observed, ${unobserved.toFixed(2)} ms not: × ${ratio} (${pairs} pairs)`,
      );
    }
    return;
  }
  const skipped: { fault: string; reason: string }[] = [];
  const failed: FailedRun[] = [];
  const scores =
    values.rescore === undefined ? await runAll(skipped, failed) : await rescore(resolve(values.rescore), failed);
  if (failed.length > 0) process.exitCode = 1;
  const result: LabScores = {
    schema: LAB_SCORES_SCHEMA,
    at: new Date().toISOString(),
    machine: { node: process.versions.node, cores: availableParallelism() },
    summary: summarise(scores, failed),
    runs: scores,
    failed,
    skipped,
  };
  console.log(tableOf(result));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
  if (values.compare === undefined) return;
  const worse = worsened(JSON.parse(readFileSync(values.compare, "utf8")) as LabScores, result);
  for (const line of worse) console.log(`worse: ${line}`);
  if (worse.length > 0) process.exitCode = 1;
}

/** A run of each wanted fault and seed; healthy ones take turns until there are as many as wanted. */
function wantedRuns(): { fault: Fault; seed: number }[] {
  const firstSeed = Number(values.seed);
  const repeat = Number(values.repeat);
  const seeds = Array.from({ length: repeat }, (_, i) => firstSeed + i);
  const named = values.only?.split(",").map((name) => faultNamed(name.trim()));
  const faults = named ?? FAULTS.filter(({ kind }) => kind !== "healthy");
  const runs = faults.flatMap((fault) => seeds.map((seed) => ({ fault, seed })));
  if (named !== undefined) return runs;
  const controls = FAULTS.filter(({ kind }) => kind === "healthy");
  const more = Array.from({ length: Number(values.healthy) }, (_, i) => ({
    fault: controls[i % controls.length]!,
    seed: firstSeed + Math.floor(i / controls.length),
  }));
  return [...runs, ...more];
}

async function runAll(skipped: { fault: string; reason: string }[], failed: FailedRun[]): Promise<RunScore[]> {
  const needs = await probeNeeds();
  const keep = values.recordings === undefined ? undefined : resolve(values.recordings);
  const scores: RunScore[] = [];
  for (const { fault, seed } of wantedRuns()) {
    const reason = fault.needs.map((need) => needs[need]).find((why) => why !== undefined);
    if (reason !== undefined) {
      skipped.push({ fault: fault.name, reason });
      continue;
    }
    const folder =
      keep === undefined ? mkdtempSync(join(tmpdir(), "longpole-lab-run-")) : join(keep, `${fault.name}-${seed}`);
    try {
      const seconds = values.seconds === undefined ? {} : { seconds: Number(values.seconds) };
      const fix = !values.quick || fault.whatIf.length > 0;
      const profile = !values.quick || fault.seenFrom === "profiles";
      await recordFault(fault, folder, { seed, fix, profile, ...seconds, signal: abort.signal });
      if (values["record-only"]) {
        console.error(`${fault.name} (${seed}) recorded`);
        continue;
      }
      const score = await scoreRecording(folder, { alone: true });
      scores.push(score);
      console.error(lineOf(score));
    } catch (error) {
      if (abort.signal.aborted) throw error;
      // One that fails does not take the others with it; it is a miss.
      const why = error instanceof Error ? error.message : String(error);
      const { name, seenFrom, truths } = fault;
      failed.push({ fault: name, seenFrom, hasCause: truths.length > 0, reason: why });
      console.error(`${name} failed: ${why}`);
    } finally {
      if (keep === undefined) rmSync(folder, { recursive: true, force: true });
    }
  }
  return scores;
}

async function rescore(folder: string, failed: FailedRun[]): Promise<RunScore[]> {
  const scores: RunScore[] = [];
  const wanted = values.only?.split(",");
  for (const name of readdirSync(folder).sort()) {
    if (name.startsWith(".") || (wanted !== undefined && !wanted.includes(name.replace(/-\d+$/, "")))) continue;
    try {
      const score = await scoreRecording(join(folder, name), { alone: true });
      scores.push(score);
      console.error(lineOf(score));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      failed.push({ fault: name, seenFrom: "traces", hasCause: true, reason });
      console.error(`${name} failed: ${reason}`);
    }
  }
  return scores;
}

function lineOf({ fault, seed, verdict, alone, now, before, fixed }: RunScore): string {
  const ranks = (of: typeof alone): string =>
    of === undefined
      ? "-"
      : `${of.ranks.map((r) => `${r.byService}/${r.byServiceAndMechanism}`).join(" ")} alarms ${of.alarms}`;
  const p = (x: typeof before): string => (x === undefined ? "-" : `${x.p50Ms.toFixed(1)}/${x.p99Ms.toFixed(0)}`);
  const first = verdict.first.join("\n    ");
  return `${fault} (${seed}): p50/p99 ${p(before)} → ${p(now)} → ${p(fixed)} ms; ${ranks(verdict)}; alone ${ranks(alone)}\n    ${first}`;
}

await main();
