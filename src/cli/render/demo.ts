import { clip, columns, padEnd, padStart, wrap } from "./layout.ts";
import { duration, percent, plural, range } from "./numbers.ts";
import { heading, finish } from "./frame.ts";
import { penFor, type Look, type Pen } from "./pen.ts";

/** A fault as far as it is listed. */
export interface ShownFault {
  readonly name: string;
  readonly kind: string;
  readonly summary: string;
}

const KINDS: readonly (readonly [kind: string, title: string, remark: string])[] = [
  ["story", "Stories", "begin with these"],
  ["fault", "Faults", "one thing is wrong"],
  ["pair", "Pairs", "two things are wrong at once"],
  ["red-herring", "Red herrings", "something looks alarming and is not the cause, or nothing is wrong"],
  ["healthy", "Healthy", "nothing is wrong"],
];

/** The faults by kind, a line each, and how to start one. */
export function renderFaultList(faults: readonly ShownFault[], command: string, look: Look): string[] {
  const pen = penOf(look);
  const first = Math.max(...faults.map(({ name }) => columns(name))) + 2;
  const lines: string[] = [];
  for (const [kind, title, remark] of KINDS) {
    const ofKind = faults.filter((fault) => fault.kind === kind);
    if (ofKind.length === 0) continue;
    lines.push(...(lines.length === 0 ? [] : [""]), heading(title, remark, pen));
    for (const { name, summary } of ofKind) {
      const text = wrap(summary, pen.look.width - first - 2);
      lines.push(...text.map((line, i) => `  ${padEnd(i === 0 ? pen.strong(name) : "", first)}${line}`));
    }
  }
  return finish(
    [...lines, "", `${pen.faint("Start one:")} ${pen.code(`${command} demo --fault ${faults[0]?.name} --fix`)}`],
    look,
  );
}

/** What was really wrong, which the diagnosis did not know. */
export interface ShownTruth {
  readonly summary: string;
  readonly truths: readonly {
    readonly service: string;
    readonly mechanism: string;
    readonly alsoMechanisms?: readonly string[];
  }[];
}

export interface ShownDiagnosis {
  /** where the report names each truth: 1 for its first finding, 0 for nowhere */
  readonly ranks: readonly { readonly byService: number; readonly byServiceAndMechanism: number }[];
  readonly load: { readonly all: { readonly p50Ms: number; readonly p99Ms: number }; readonly sent: number };
  readonly analysisSeconds: number;
  readonly report: {
    readonly findings: readonly { readonly severity: string; readonly remedy: { readonly whatIf?: string } }[];
  };
}

/** The truth about the fault, and at which rank the report above names it. `kept`: whether the recording still is there. */
export function renderTruth(fault: ShownTruth, diagnosis: ShownDiagnosis, kept: boolean, look: Look): string[] {
  const pen = penOf(look);
  const alarms = diagnosis.report.findings.filter(({ severity }) => severity !== "note").length;
  const { all, sent } = diagnosis.load;
  const lines = ["", heading("What was really wrong", "the diagnosis did not know it", pen)];
  lines.push(...wrap(fault.summary, pen.look.width - 2).map((line) => `  ${line}`));
  if (fault.truths.length === 0) {
    const verdict =
      alarms === 0
        ? "Nothing was wrong, and nothing above a note was found."
        : `Nothing was wrong: ${plural(alarms, "false alarm")}.`;
    lines.push(`  ${alarms === 0 ? pen.better(verdict) : pen.worse(verdict)}`);
  }
  fault.truths.forEach(({ service, mechanism, alsoMechanisms = [] }, i) => {
    const names = [mechanism, ...alsoMechanisms].join(" or ");
    const verdict = rankText(diagnosis.ranks[i]!);
    const isFirst = diagnosis.ranks[i]!.byServiceAndMechanism === 1;
    lines.push(`  ${pen.strong(service)} · ${names}: ${isFirst ? pen.better(verdict) : pen.strong(verdict)}`);
  });
  const seen = `The load generator, which knows nothing of spans, saw ${plural(sent, "request")}: p50 ${duration(all.p50Ms)}, p99 ${duration(all.p99Ms)}. Reading and diagnosing took ${duration(diagnosis.analysisSeconds * 1000)}.`;
  const gone = "The recording is removed at the end: with --record FOLDER the commands above can be pasted.";
  const hasCommand = diagnosis.report.findings.some(({ remedy }) => remedy.whatIf !== undefined);
  for (const text of kept || !hasCommand ? [seen] : [seen, gone])
    lines.push(...wrap(text, pen.look.width - 2).map((line) => `  ${pen.faint(line)}`));
  return finish(lines, look);
}

function rankText({ byService, byServiceAndMechanism }: ShownDiagnosis["ranks"][number]): string {
  if (byServiceAndMechanism === 1) return "found, as the first finding";
  if (byServiceAndMechanism > 1) return `found, as finding ${byServiceAndMechanism}`;
  if (byService > 0) return `missed; finding ${byService} names the service for another reason`;
  return "missed";
}

/** A measured fix, and what had been predicted of it. */
export interface ShownFix {
  readonly title: string;
  readonly load: { readonly all: { readonly p50Ms: number; readonly p99Ms: number } };
  readonly errors: readonly ShownError[];
}

interface ShownError {
  readonly by: "finding" | "what-if";
  readonly metric: string;
  readonly nowMs: number;
  readonly predictedMs: number;
  readonly lowMs: number;
  readonly highMs: number;
  readonly measuredMs: number;
  readonly error: number;
}

/** Prediction, measurement and error side by side, for each fix. */
export function renderFixes(
  endpoint: string,
  diagnosis: ShownDiagnosis,
  fixes: readonly ShownFix[],
  look: Look,
): string[] {
  const pen = penOf(look);
  const lines = ["", heading("What the fix brought", `root spans of ${endpoint}, the same requests again`, pen)];
  lines.push(pen.faint(row(["", "with the fault", "predicted", "interval", "measured", "error"])));
  for (const { title, errors } of fixes) {
    lines.push(`  ${pen.strong(clip(title, pen.look.width - 2))}`);
    if (errors.length === 0)
      lines.push(
        pen.faint("    nothing was predicted of it: no finding names this cause, and what-if has no words for the fix"),
      );
    for (const { by, metric, nowMs, predictedMs, lowMs, highMs, measuredMs, error } of errors) {
      const label = `${metric}, ${by === "finding" ? "the finding" : "what-if"}`;
      const sign = error < 0 ? "−" : "+";
      const cells = [duration(nowMs), duration(predictedMs), range(lowMs, highMs), duration(measuredMs)];
      lines.push(row([label, ...cells, `${sign}${percent(Math.abs(error))}`]));
    }
  }
  const before = diagnosis.load.all;
  const after = fixes.at(-1)!.load.all;
  const all = `All requests, by the load generator: p50 ${duration(before.p50Ms)} → ${duration(after.p50Ms)}, p99 ${duration(before.p99Ms)} → ${duration(after.p99Ms)}.`;
  lines.push(...wrap(all, pen.look.width - 2).map((line) => `  ${pen.faint(line)}`));
  return finish(lines, look);
}

/** Columns of the table of fixes; together with the label they fit 100 columns. */
const WIDTHS = [24, 15, 12, 18, 12, 10] as const;

const row = (cells: readonly string[]): string =>
  `  ${cells.map((cell, i) => (i === 0 ? padEnd(`  ${cell}`, WIDTHS[0]) : padStart(cell, WIDTHS[i] ?? 10))).join("")}`;

const penOf = (look: Look): Pen => penFor({ ...look, width: Math.max(60, look.width) });
