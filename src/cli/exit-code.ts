import { SEVERITIES, type Report, type Severity } from "../model/report.ts";

/** What a program that calls Longpole learns without reading its output. */
export const EXIT = {
  /** nothing at or above --fail-on */
  ok: 0,
  findings: 1,
  /** wrong usage, or an input that could not be read */
  unusable: 2,
  insufficientData: 3,
  /** Ctrl-C where nothing is known yet that could be printed: 128 + SIGINT, as a shell says it */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Damaged input outranks findings: an answer from half of the data is not one to build on. */
export function exitCodeOf(report: Report, failOn: Severity | undefined, unreadable: boolean): ExitCode {
  if (unreadable) return EXIT.unusable;
  const limit = failOn === undefined ? Infinity : SEVERITIES.indexOf(failOn);
  if (report.findings.some((finding) => SEVERITIES.indexOf(finding.severity) >= limit)) return EXIT.findings;
  return isInsufficient(report) ? EXIT.insufficientData : EXIT.ok;
}

/** Nothing is wrong as far as can be seen, but there is no endpoint of which enough can be seen. */
export function isInsufficient(report: Report): boolean {
  return (
    report.findings.every((finding) => finding.severity === "note") &&
    report.endpoints.every((endpoint) => endpoint.caution !== undefined)
  );
}
