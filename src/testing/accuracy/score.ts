import type { Finding } from "../../model/report.ts";
import type { Truth } from "./case.ts";

/** Ranks are strict and ordinal: the first finding that names the cause, 1-based; 0 when none does. */
export interface Score {
  readonly byService: number;
  readonly byServiceAndMechanism: number;
}

export function score(findings: readonly Finding[], truth: Truth): Score {
  const ordered = findings.toSorted((a, b) => a.rank - b.rank);
  const namesService = ({ subject: { service } }: Finding): boolean =>
    service === truth.service || truth.acceptableServices.includes(service);
  const namesMechanism = ({ mechanism }: Finding): boolean =>
    mechanism === truth.mechanism || truth.acceptableMechanisms.includes(mechanism);
  return {
    byService: ordered.findIndex(namesService) + 1,
    byServiceAndMechanism: ordered.findIndex((finding) => namesService(finding) && namesMechanism(finding)) + 1,
  };
}

/** Findings that would alarm somebody; a healthy run must have none. */
export const alarms = (findings: readonly Finding[]): readonly Finding[] =>
  findings.filter(({ severity }) => severity !== "note");
