import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Finding, Report } from "../../model/report.ts";
import type { LabTruth, Percentiles } from "../recording/lab-truth.ts";
import { readRecording } from "../recording/read-recording.ts";
import { diagnosePhase, predictPhase } from "./diagnose-recording.ts";
import {
  alarmsOf,
  endpointOf,
  falseAlarmsOf,
  findingError,
  limiterIsRight,
  rankOf,
  whatIfErrors,
  type CauseRank,
  type PredictionError,
} from "./score.ts";

/** What the diagnosis made of one recorded run. */
export interface RunScore {
  readonly fault: string;
  readonly kind: LabTruth["kind"];
  readonly seenFrom: LabTruth["seenFrom"];
  readonly seed: number;
  /** root spans of the endpoint that suffers, or of all requests as the load saw them where nothing is wrong */
  readonly before?: Percentiles;
  readonly now: Percentiles;
  readonly fixed?: Percentiles;
  /** as users would ask: against earlier times where there are any; one rank for each cause of the truth */
  readonly verdict: Verdict;
  /** from the faulty time alone, where that was asked for and there are earlier times */
  readonly alone?: Verdict;
  readonly predictions: readonly PredictionError[];
  readonly analysisSeconds: number;
}

export interface Verdict {
  readonly ranks: readonly CauseRank[];
  readonly limiterRight?: boolean;
  readonly alarms: number;
  /** alarms about services that are no part of the truth */
  readonly falseAlarms: number;
  /** the first findings in words, for whoever looks for the reason of a miss */
  readonly first: readonly string[];
}

/** Diagnoses the recording of a run as users would, and holds that against its truth. `alone`: without its earlier times, too. */
export async function scoreRecording(folder: string, options: { readonly alone: boolean }): Promise<RunScore> {
  const { truth, load } = await readRecording(folder);
  const at = (phase: string): string => join(folder, phase);
  const hasBefore = existsSync(at("before"));
  const began = performance.now();
  const report = await diagnosePhase(at("fault"), hasBefore ? at("before") : undefined);
  const analysisSeconds = (performance.now() - began) / 1000;
  const alone = options.alone && hasBefore ? verdictOf(await diagnosePhase(at("fault")), truth) : undefined;
  const fixed = truth.phases.fixed === undefined ? undefined : await diagnosePhase(at("fixed"));
  const predictions = fixed === undefined ? [] : await predictionErrors(folder, truth, report, fixed);
  const now = suffering(truth, report) ?? load.fault?.all;
  if (now === undefined) throw new Error(`${folder} holds no faulty phase`);
  const before = hasBefore ? beforeOf(truth, report, load.before?.all) : undefined;
  const mended = fixed === undefined ? undefined : suffering(truth, fixed);
  return {
    fault: truth.fault,
    kind: truth.kind,
    seenFrom: truth.seenFrom,
    seed: truth.seed,
    now: percentilesOf(now),
    ...(before === undefined ? {} : { before }),
    ...(mended === undefined ? {} : { fixed: percentilesOf(mended) }),
    verdict: verdictOf(report, truth),
    ...(alone === undefined ? {} : { alone }),
    predictions,
    analysisSeconds,
  };
}

async function predictionErrors(
  folder: string,
  truth: LabTruth,
  report: Report,
  fixed: Report,
): Promise<PredictionError[]> {
  const errors: PredictionError[] = [];
  const [cause] = truth.truths;
  if (cause === undefined) return errors;
  const right = rankOf(report, cause).byServiceAndMechanism;
  // A finding that names another cause predicts another fix than the one that was measured.
  const ofFinding = right === 0 ? undefined : findingError(report.findings[right - 1], fixed);
  if (ofFinding !== undefined) errors.push(ofFinding);
  if (truth.whatIf.length === 0) return errors;
  return [...errors, ...whatIfErrors(await predictPhase(join(folder, "fault"), truth.whatIf), cause, fixed)];
}

function verdictOf(report: Report, truth: LabTruth): Verdict {
  const [cause] = truth.truths;
  const limiterRight = cause === undefined ? undefined : limiterIsRight(report, cause);
  return {
    ranks: truth.truths.map((one) => rankOf(report, one)),
    ...(limiterRight === undefined ? {} : { limiterRight }),
    alarms: alarmsOf(report).length,
    falseAlarms: falseAlarmsOf(report, truth.truths).length,
    first: report.findings.slice(0, 3).map(inWords),
  };
}

const inWords = ({ severity, subject, mechanism, title }: Finding): string =>
  `${severity} ${subject.service} ${mechanism}: ${title}`;

type Measured = Omit<Percentiles, "completed">;

function suffering(truth: LabTruth, report: Report): (Measured & { requests: number }) | undefined {
  const [cause] = truth.truths;
  return cause === undefined ? undefined : endpointOf(report, cause.endpoint);
}

function beforeOf(truth: LabTruth, against: Report, all: Percentiles | undefined): Percentiles | undefined {
  const [cause] = truth.truths;
  if (cause === undefined) return all === undefined ? undefined : percentilesOf(all);
  const before = endpointOf(against, cause.endpoint)?.baseline;
  return before === undefined ? undefined : percentilesOf(before);
}

function percentilesOf(measured: Measured & ({ completed: number } | { requests: number })): Percentiles {
  const { p50Ms, p95Ms, p99Ms } = measured;
  return { completed: "completed" in measured ? measured.completed : measured.requests, p50Ms, p95Ms, p99Ms };
}
