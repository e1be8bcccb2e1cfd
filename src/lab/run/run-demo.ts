import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Finding, Mechanism, Report } from "../../model/report.ts";
import type { Fault } from "../faults/fault.ts";
import { probeNeeds } from "../host/probe-needs.ts";
import { LabError } from "../lab-error.ts";
import type { TakenRequest } from "../../load/telemetry-sink.ts";
import type { LoadResult } from "../load/load-plan.ts";
import type { LoadProgress } from "../load/run-load.ts";
import type { PhaseName } from "../recording/lab-truth.ts";
import { recordingTarget, writeRecording } from "../recording/write-recording.ts";
import { diagnosePhase, predictPhase } from "./diagnose-recording.ts";
import { openLab, phasesOf, temporaryFolder } from "./experiment.ts";
import type { PhaseRecord } from "./phase.ts";
import { findingError, rankOf, whatIfErrors, type CauseRank, type PredictionError } from "./score.ts";

export interface DemoOptions {
  readonly fault: Fault;
  /** whether the fix is applied and measured, too */
  readonly fix: boolean;
  /** where the recording is kept; removed at the end where absent */
  readonly folder?: string;
  readonly seed: number;
  readonly seconds?: number;
  readonly perSecond?: number;
  readonly signal: AbortSignal;
  /** the system stays under its last load, to be looked at, until this is aborted or `STAY_AT_MOST_S` have passed */
  readonly stayUntil?: AbortSignal;
  /** folders of the caller's that go, too, where this process is killed */
  readonly removeIfKilled?: readonly string[];
  /** the database is looked into as `longpole agent --postgres` does */
  readonly looksWithin?: boolean;
}

/** A demo that was forgotten ends by itself. */
export const STAY_AT_MOST_S = 1800;

export interface DemoHooks {
  /** what happens, a line each */
  readonly log: (line: string) => void;
  readonly progress: (phase: PhaseName, progress: LoadProgress) => void;
  /** the faulty system has been diagnosed; the fix, if it is wanted, comes after */
  readonly diagnosed: (diagnosis: Diagnosis) => void;
  /** all that the services send, as they send it */
  readonly onTelemetry?: (taken: TakenRequest) => void;
  /** each phase when it is over, before anything is diagnosed; the run goes on when it resolves */
  readonly recorded?: (phase: PhaseName, record: PhaseRecord) => Promise<void>;
  /** all phases are over, and the system goes on under load */
  readonly staying?: (result: DemoResult) => void;
}

/** The faulty system, as it was seen. */
export interface Diagnosis {
  readonly report: Report;
  /** where its recording lies, and that of earlier times; gone after the run where no folder was given */
  readonly files: readonly string[];
  readonly baseline: readonly string[];
  /** what the load generator saw, which no span can embellish */
  readonly load: LoadResult;
  /** where the report names each cause of the truth */
  readonly ranks: readonly CauseRank[];
  /** reading the recording and diagnosing it */
  readonly analysisSeconds: number;
}

/** One fix (or one more), measured. */
export interface FixResult {
  readonly phase: PhaseName;
  readonly title: string;
  readonly report: Report;
  readonly load: LoadResult;
  readonly errors: readonly PredictionError[];
}

export interface DemoResult {
  readonly diagnosis: Diagnosis;
  readonly fixes: readonly FixResult[];
  readonly records: Readonly<Partial<Record<PhaseName, PhaseRecord>>>;
}

/**
 * Runs the sample system with a fault from its start to its end: earlier times, the
 * fault, the diagnosis, and the fix where it is wanted. Nothing is left behind but the
 * recording that was asked for, which is whole after every phase. Throws LabError with
 * one clear sentence, and the signal's reason when it is aborted.
 */
export async function runDemo(options: DemoOptions, hooks: DemoHooks): Promise<DemoResult> {
  const { fault, signal } = options;
  const kept = options.folder;
  const needs = await probeNeeds();
  const refusal = fault.needs.map((need) => needs[need]).find((reason) => reason !== undefined);
  if (refusal !== undefined) throw new LabError("not-here", `${fault.name} cannot be run here: ${refusal}`);
  if (kept !== undefined) await recordingTarget(kept);
  const folder = kept ?? (await temporaryFolder("longpole-recording-"));
  try {
    const lab = await openLab(fault, {
      signal,
      log: hooks.log,
      looksWithin: options.looksWithin === true,
      removeIfKilled: [...(kept === undefined ? [folder] : []), ...(options.removeIfKilled ?? [])],
      ...(hooks.onTelemetry === undefined ? {} : { onTelemetry: hooks.onTelemetry }),
    });
    try {
      const result = await runPhases(lab.run, folder, options, hooks);
      if (options.stayUntil !== undefined) {
        hooks.staying?.(result);
        await stay(lab.run, options.stayUntil, options);
      }
      return result;
    } finally {
      await lab.close();
    }
  } finally {
    if (kept === undefined) await rm(folder, { recursive: true, force: true });
  }
}

async function runPhases(
  run: Awaited<ReturnType<typeof openLab>>["run"],
  folder: string,
  options: DemoOptions,
  hooks: DemoHooks,
): Promise<DemoResult> {
  const { fault, seed, seconds, perSecond } = options;
  const records: Partial<Record<PhaseName, PhaseRecord>> = {};
  let diagnosis: Diagnosis | undefined;
  const fixes: FixResult[] = [];
  const reports: Report[] = [];
  for (const phase of phasesOf(fault, { before: true, fix: options.fix })) {
    const record = await run(fault, phase, {
      seed,
      ...(seconds === undefined ? {} : { seconds }),
      ...(perSecond === undefined ? {} : { perSecond }),
      progress: (progress) => hooks.progress(phase, progress),
    });
    records[phase] = record;
    await hooks.recorded?.(phase, record);
    hooks.log(loadLine(titleOf(fault, phase), record.load));
    await writeRecording(folder, { fault, seed, recordedAt: new Date(), phases: records });
    if (phase === "before") continue;
    if (phase === "fault") {
      diagnosis = await diagnoseFault(folder, record.load, options);
      reports.push(diagnosis.report);
      hooks.diagnosed(diagnosis);
    } else {
      const fix = await judgeFix(folder, phase, record.load, fault, reports);
      options.signal.throwIfAborted();
      reports.push(fix.report);
      fixes.push(fix);
    }
  }
  return { diagnosis: diagnosis!, fixes, records };
}

/** One stretch after the other, so that what is kept of one does not grow. */
async function stay(
  run: Awaited<ReturnType<typeof openLab>>["run"],
  until: AbortSignal,
  { fault, fix, seed, perSecond }: DemoOptions,
): Promise<void> {
  const phase = phasesOf(fault, { before: true, fix }).at(-1)!;
  const rate = perSecond === undefined ? {} : { perSecond };
  for (let i = 1; i <= STAY_AT_MOST_S / STRETCH_S && !until.aborted; i++) {
    const stretch = { seed: seed + i, seconds: STRETCH_S, profile: false, progress: () => {}, signal: until, ...rate };
    await run(fault, phase, stretch).catch((error: unknown) => {
      if (!until.aborted) throw error;
    });
  }
}

const STRETCH_S = 60;

async function diagnoseFault(folder: string, load: LoadResult, options: DemoOptions): Promise<Diagnosis> {
  const began = performance.now();
  const files = join(folder, "fault");
  const baseline = join(folder, "before");
  const report = await diagnosePhase(files, baseline, options.signal);
  // What is known of half of it would be a verdict on half of it.
  options.signal.throwIfAborted();
  return {
    report,
    files: [files],
    baseline: [baseline],
    load,
    ranks: options.fault.truths.map((truth) => rankOf(report, truth)),
    analysisSeconds: (performance.now() - began) / 1000,
  };
}

/** What had been said of this fix, against the system that has it. `earlier`: reports of the phases until now. */
async function judgeFix(
  folder: string,
  phase: PhaseName,
  load: LoadResult,
  fault: Fault,
  earlier: readonly Report[],
): Promise<FixResult> {
  const report = await diagnosePhase(join(folder, phase));
  const [faulty, previous] = [earlier[0]!, earlier.at(-1)!];
  const truth = fault.truths[0]!;
  const step = fault.steps?.[stepOf(fault, phase) - 1];
  const isLast = phase === "fixed";
  const said = isLast && fault.whatIf.length > 0 ? await predictPhase(join(folder, "fault"), fault.whatIf) : undefined;
  const errors = [
    step === undefined
      ? findingError(faulty.findings[rankOf(faulty, truth).byServiceAndMechanism - 1], report)
      : findingError(findingOf(faulty, truth.service, step.undoes), report, previous),
    ...(said === undefined ? [] : whatIfErrors(said, truth, report)),
  ].filter((error) => error !== undefined);
  return { phase, title: titleOf(fault, phase), report, load, errors };
}

const findingOf = ({ findings }: Report, service: string, mechanism: Mechanism): Finding | undefined =>
  findings.find((finding) => finding.subject.service === service && finding.mechanism === mechanism);

function titleOf(fault: Fault, phase: PhaseName): string {
  if (phase === "before") return "earlier times";
  if (phase === "fault") return fault.truths.length === 0 ? "now" : "with the fault";
  return fault.steps?.[stepOf(fault, phase) - 1]?.title ?? "with the fix";
}

/** How many of the steps have been taken. */
const stepOf = ({ steps = [] }: Fault, phase: PhaseName): number =>
  phase === "fixed" ? steps.length : Number(phase.slice("fixed-".length));

/** "with the fault: 1,002 requests, p50 25 ms, p99 310 ms, no errors". */
function loadLine(title: string, { all, sent, errors }: LoadResult): string {
  const failed = Object.entries(errors).map(([what, count]) => `${count} × ${what}`);
  const ms = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));
  return `${title}: ${sent} requests, p50 ${ms(all.p50Ms)} ms, p99 ${ms(all.p99Ms)} ms, ${failed.join(", ") || "no errors"}`;
}
