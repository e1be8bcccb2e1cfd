import { join } from "node:path";
import { expect, test } from "vitest";
import { diagnosePhase } from "../src/lab/run/diagnose-recording.ts";
import { ROOT } from "./longpole.ts";

const FOLDER = join(ROOT, "examples", "lab");

/** Recorded faults that are a setting: the finding above a note that names it, and a change that goes the right way. */
const SETTINGS: readonly (readonly [fault: string, service: string, setting: string, change: RegExp])[] = [
  // The lab gave the pool 2 connections, and 10 when it was mended.
  ["small-pool", "zones", "pool.max", /^pool\.max: 2 -> ([3-9]|10)$/],
  // A quarter of a core, which no metric tells.
  ["cpu-quota", "zones", "cpu.max", /^cpu\.max: about 0\.2\d? -> [01](\.\d+)? cores$/],
  ["retries", "accounts", "retries", /^retries: 5 -> 1$/],
  ["timeout", "accounts", "timeout", /^timeout: 1000 ms -> \d{2} ms$/],
  ["accept-queue", "zones", "backlog", /^backlog: -> 511/],
  ["small-socket-limit", "gateway", "maxSockets", /^maxSockets: 1 -> [2-9]$/],
  ["connection-churn", "zones", "pool.max", /^pool\.max: none -> [2-9]$/],
];

test.each(SETTINGS)("%s: %s › %s", { timeout: 120_000 }, async (fault, service, setting, change) => {
  const { findings } = await diagnosePhase(join(FOLDER, fault, "fault"), join(FOLDER, fault, "before"));
  const loud = findings.filter(({ severity }) => severity !== "note");
  const named = loud.filter(({ subject }) => subject.service === service && subject.setting === setting);
  // One finding with the setting in it, not two.
  expect(named.map(({ remedy }) => remedy.change)).toEqual([expect.stringMatching(change)]);
  expect(named[0]!.evidence.filter(({ kind }) => kind === "setting")).toHaveLength(1);
});
