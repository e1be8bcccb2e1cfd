import type { Finding, Report } from "../../model/report.ts";
import type { ConfigurationCase, SettingProblem } from "./configuration-check.ts";
import { CHECKS } from "./checks.ts";

/** What all checks say of a window. */
export interface Configuration {
  readonly problems: readonly SettingProblem[];
  readonly fine: Report["checkedNotCause"];
}

/** Sums that are told of one check; the tightest stand first. */
const TOLD = 3;

/** Runs all checks. A problem that the baseline had as well is not what changed: it keeps no harm. */
export function checkConfiguration(now: ConfigurationCase, before: ConfigurationCase | undefined): Configuration {
  const known = new Set(before === undefined ? [] : CHECKS.flatMap(({ run }) => run(before).problems).map(keyOf));
  const problems: SettingProblem[] = [];
  const fine: { what: string; detail: string }[] = [];
  for (const { what, run } of CHECKS) {
    const result = run(now);
    for (const problem of result.problems) {
      const { harm, ...rest } = problem;
      problems.push(harm === undefined || known.has(keyOf(problem)) ? rest : { ...rest, harm });
    }
    const told = result.fine.toSorted((a, b) => b.tightness - a.tightness).map(({ text }) => text);
    const left = told.length - TOLD;
    if (told.length > 0 && result.problems.length === 0)
      fine.push({ what, detail: [...told.slice(0, TOLD), ...(left > 0 ? [`and ${left} more`] : [])].join("; ") });
  }
  return { problems, fine };
}

const keyOf = ({ service, resource, setting, harm }: SettingProblem): string =>
  JSON.stringify([service, resource, setting, harm !== undefined]);

/** What came out well, without what a finding is about all the same. */
export function settingsThatFit({ fine }: Configuration, findings: readonly Finding[]): Report["checkedNotCause"] {
  const loud = new Set(findings.filter(({ severity }) => severity !== "note").map(({ mechanism }) => mechanism));
  return fine.filter(({ what }) => !CONTRADICTS.some(([name, mechanism]) => name === what && loud.has(mechanism)));
}

/** That sums come out well is no news where a finding of the kind stands above it. */
const CONTRADICTS = [
  ["pool size", "pool-exhausted"],
  ["CPU quota", "cpu-throttled"],
  ["event loop", "event-loop-blocked"],
  ["connections per request", "connection-churn"],
  ["retries", "retries"],
] as const;
