import type { Finding, Report } from "../../model/report.ts";
import type { Truth } from "../faults/fault.ts";

/** What a truth names inside of a service: the block of code, the call of the kernel, the statement or the setting. */
export const SUBJECTS = ["frame", "syscall", "statement", "setting"] as const;

export const hasSubject = (truth: Truth): boolean => SUBJECTS.some((key) => truth[key] !== undefined);

/** The place of the first finding that names what is at fault; 0 when none does. Strict and ordinal, as `rankOf`. */
export function subjectRank({ findings }: Report, truth: Truth): number {
  const ordered = findings.toSorted((a, b) => a.rank - b.rank);
  return ordered.findIndex((finding) => namesSubject(finding, truth)) + 1;
}

/** Whether a finding about the right service names the function, system call, statement or setting. */
function namesSubject({ subject, remedy }: Finding, truth: Truth): boolean {
  if (subject.service !== truth.service && !(truth.alsoServices ?? []).includes(subject.service)) return false;
  const { frame, alsoFrames = [], syscall, statement, setting } = truth;
  // "DebugLog.line (debug-log.ts:17)": the function, with its class or without.
  const named = subject.frame
    ?.replace(/ \(.*$/, "")
    .split(".")
    .at(-1);
  return (
    (named !== undefined && (named === frame || alsoFrames.includes(named))) ||
    (syscall !== undefined && subject.syscall === syscall) ||
    (statement !== undefined && subject.statement !== undefined && plain(subject.statement) === plain(statement)) ||
    (setting !== undefined && [subject.setting, remedy.change?.split(":")[0]].some((name) => isSetting(name, setting)))
  );
}

/** "registrar.timeoutMs" is what a program calls its timeout: without the owner's name and the unit it is the same setting. */
const isSetting = (named: string | undefined, wanted: string): boolean =>
  named === wanted || (named !== undefined && named === wanted.split(".").at(-1)!.replace(/Ms$/, ""));

const plain = (statement: string): string =>
  statement
    .replace(/\$\d+|\?/g, "?")
    .replace(/\s+/g, " ")
    .trim()
    .toLowerCase();

/** What of the time inside services the ledger tells, over all endpoints, each as often as it was called; undefined without one. */
export function ledgerCoverage({ endpoints }: Report): number | undefined {
  let [own, told] = [0, 0];
  for (const { ledger, requests } of endpoints) {
    if (ledger === undefined) continue;
    own += ledger.ownMs * requests;
    told += ledger.ownMs * requests * ledger.explainedShare;
  }
  return own > 0 ? told / own : undefined;
}
