import type { Truth } from "../faults/fault.ts";
import type { EndpointReport, Finding, Report } from "../../model/report.ts";
import type { WhatIfReport } from "../../model/what-if-report.ts";

/** Ranks are strict and ordinal: the place of the first finding that names it, 1-based; 0 when none does. */
export interface CauseRank {
  readonly byService: number;
  readonly byServiceAndMechanism: number;
}

/** Where the report names this cause. */
export function rankOf({ findings }: Report, truth: Truth): CauseRank {
  const ordered = findings.toSorted((a, b) => a.rank - b.rank);
  return {
    byService: ordered.findIndex((finding) => namesService(finding, truth)) + 1,
    byServiceAndMechanism:
      ordered.findIndex((finding) => namesService(finding, truth) && namesMechanism(finding, truth)) + 1,
  };
}

const namesService = ({ subject }: Finding, { service, alsoServices = [] }: Truth): boolean =>
  subject.service === service || alsoServices.includes(subject.service);

const namesMechanism = (finding: Finding, { mechanism, alsoMechanisms = [] }: Truth): boolean =>
  finding.mechanism === mechanism || alsoMechanisms.includes(finding.mechanism);

/** Findings that would alarm somebody; a healthy run must have none. */
export const alarmsOf = ({ findings }: Report): readonly Finding[] =>
  findings.filter(({ severity }) => severity !== "note");

/** Alarms about a service that is no part of the truth. */
export const falseAlarmsOf = (report: Report, truths: readonly Truth[]): readonly Finding[] =>
  alarmsOf(report).filter((finding) => !truths.some((truth) => namesService(finding, truth)));

/** Whether the report names the limiter of the truth; undefined where the truth has none. */
export function limiterIsRight({ throughput }: Report, truth: Truth): boolean | undefined {
  if (truth.limiter === undefined) return undefined;
  if (throughput.limiter === undefined) return false;
  const { service, resource } = throughput.limiter;
  // Pools are named by whoever made them; that it is the pool is what counts.
  const family = (name: string): string => name.split(":")[0]!;
  return service === truth.limiter.service && family(resource) === family(truth.limiter.resource);
}

/** What was said to come of the fix, and what came: milliseconds of the endpoint's root spans under the same load. */
export interface PredictionError {
  readonly by: "finding" | "what-if";
  readonly metric: "p50" | "p95" | "p99";
  readonly nowMs: number;
  readonly predictedMs: number;
  readonly lowMs: number;
  readonly highMs: number;
  readonly measuredMs: number;
  /** (predicted - measured) / measured */
  readonly error: number;
}

/**
 * A finding's prediction for its own endpoint against the system that was mended. Where other things were mended
 * before, `previous` is the report until then, and the finding's gain is taken as a share of what was left.
 */
export function findingError(
  finding: Finding | undefined,
  fixed: Report,
  previous?: Report,
): PredictionError | undefined {
  if (finding === undefined) return undefined;
  const { endpoint, metric, now, predicted, low, high } = finding.impact;
  // What limits throughput shows under more load, not in a phase at the same one; a mean is of metrics.
  if (metric === "ceiling" || metric === "mean") return undefined;
  const measured = endpointOf(fixed, endpoint);
  const left = previous === undefined ? now : endpointOf(previous, endpoint)?.[`${metric}Ms`];
  if (measured === undefined || left === undefined || now <= 0) return undefined;
  const share = left / now;
  const said = { now: left, predicted: predicted * share, low: low * share, high: high * share };
  return errorOf("finding", metric, said, measured[`${metric}Ms`]);
}

/** Predictions of `what-if` for the endpoint that suffers against the system that was mended. */
export function whatIfErrors(report: WhatIfReport, truth: Truth, fixed: Report): PredictionError[] {
  const predicted = report.endpoints.find((row) => isSame(row, truth.endpoint));
  const measured = endpointOf(fixed, truth.endpoint);
  if (predicted === undefined || measured === undefined) return [];
  return (["p50", "p99"] as const).map((metric) =>
    errorOf("what-if", metric, predicted[metric], measured[`${metric}Ms`]),
  );
}

function errorOf(
  by: PredictionError["by"],
  metric: PredictionError["metric"],
  said: { readonly now: number; readonly predicted: number; readonly low: number; readonly high: number },
  measuredMs: number,
): PredictionError {
  const { now: nowMs, predicted: predictedMs, low: lowMs, high: highMs } = said;
  return { by, metric, nowMs, predictedMs, lowMs, highMs, measuredMs, error: (predictedMs - measuredMs) / measuredMs };
}

interface Place {
  readonly service: string;
  readonly operation: string;
}

export const endpointOf = (report: Report, place: Place): EndpointReport | undefined =>
  report.endpoints.find((row) => isSame(row, place));

const isSame = (a: Place, b: Place): boolean => a.service === b.service && a.operation === b.operation;
