import type {
  ComparedEndpoint,
  CompareReport,
  ErrorChange,
  MeanChange,
  PathChange,
  PercentileChange,
  SingleEndpoint,
  Verdict,
} from "../../model/compare-report.ts";
import { ratioBar } from "./bar.ts";
import { shellWord } from "./finding.ts";
import { finish, heading } from "./frame.ts";
import { clip, clipMiddle, columns, padEnd, padStart, wrap } from "./layout.ts";
import { count, difference, duration, fromTo, percent, plural } from "./numbers.ts";
import { penFor, type Look, type Pen } from "./pen.ts";
import { safeTexts } from "./safe-text.ts";

/** The recordings as they were named on the command line. */
export interface ComparedSources {
  readonly before: string;
  readonly now: string;
  /** what runs Longpole, for the command to paste */
  readonly command: string;
}

/**
 * A comparison as lines for a terminal: the verdict, the endpoints with the worst first, and what moved the mean.
 * No line is wider than `look.width`, which is taken as 60 at least, but for the command to paste.
 */
export function renderCompare(report: CompareReport, sources: ComparedSources, look: Look): string[] {
  const pen = penFor({ ...look, width: Math.max(60, look.width) });
  const safe = safeTexts(report);
  const lines = [
    ...header(safe, safeTexts(sources), pen),
    ...endpoints(safe, pen),
    ...singles("New endpoints", "in the new recording only", safe.newEndpoints, pen),
    ...singles("Vanished endpoints", "in the baseline only", safe.vanishedEndpoints, pen),
    ...meanChange(safe, pen),
    ...paths(safe, pen),
    ...cautions(safe, pen),
    ...next(safe, sources, pen),
  ];
  return finish(lines, look);
}

function header(report: CompareReport, { before, now }: ComparedSources, pen: Pen): string[] {
  const traces = `${plural(report.now.traces, "trace")} against ${count(report.before.traces)} of the baseline`;
  const rule = `changes from ${shortPercent(report.threshold)} on count · intervals hold together with ${shortPercent(report.level)}`;
  return [
    ...wrap(`Longpole · ${now} against ${before}`, pen.look.width, 2).map((line) => pen.strong(line)),
    ...wrap(`${traces} · ${rule}`, pen.look.width).map((line) => pen.faint(line)),
    "",
    ...wrap(summary(report), pen.look.width).map((line) => paintVerdict(report.verdict, line, pen)),
  ];
}

function summary(report: CompareReport): string {
  const total = report.endpoints.length;
  const are = (verdict: Verdict): number => report.endpoints.filter((endpoint) => endpoint.verdict === verdict).length;
  const parts = (["worse", "better", "same"] as const).flatMap((verdict) =>
    are(verdict) > 0 ? [`${count(are(verdict))} ${verdict}`] : [],
  );
  const untold = are("insufficient-data");
  if (untold > 0) parts.push(`${count(untold)} with too few requests to tell`);
  const list = total === 0 ? "no endpoint is in both recordings" : `${plural(total, "endpoint")}: ${parts.join(", ")}`;
  switch (report.verdict) {
    case "worse":
      return `■ Regression. ${list}.`;
    case "better":
      return `✓ Better. ${list}.`;
    case "same":
      return `✓ No regression. ${list}.`;
    case "insufficient-data":
      return `▲ Too little data to tell: ${list}.`;
  }
}

function paintVerdict(verdict: Verdict, text: string, pen: Pen): string {
  switch (verdict) {
    case "worse":
      return pen.worse(text);
    case "better":
      return pen.better(text);
    case "insufficient-data":
    case "same":
      return pen.faint(text);
  }
}

const WORD: Readonly<Record<Verdict, string>> = {
  worse: "worse",
  better: "better",
  same: "same",
  "insufficient-data": "too few requests",
};
const ORDER: readonly Verdict[] = ["worse", "better", "insufficient-data", "same"];
/** Endpoints with four lines each; of the others it is enough to know that they are alike. */
const SHOWN = 12;

function endpoints(report: CompareReport, pen: Pen): string[] {
  const ordered = report.endpoints.toSorted((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict));
  const lines = ordered.slice(0, SHOWN).flatMap((endpoint) => ["", ...endpointLines(endpoint, pen)]);
  const left = ordered.slice(SHOWN);
  if (left.length > 0) {
    const worst = left[0]!.verdict;
    lines.push(pen.faint(`  ${plural(left.length, "further endpoint")}, at worst ${WORD[worst]}: --json has all.`));
  }
  return lines;
}

function endpointLines(endpoint: ComparedEndpoint, pen: Pen): string[] {
  const right = `${count(endpoint.requests.before)} → ${plural(endpoint.requests.now, "request")}`;
  const room = pen.look.width - columns(right) - 2;
  const service = clipMiddle(endpoint.service, Math.max(12, room >> 1));
  const operation = clipMiddle(endpoint.operation, room - columns(service) - 2);
  return [
    `${padEnd(`${pen.strong(operation)}  ${pen.faint(service)}`, room)}  ${pen.faint(right)}`,
    ...(["p50", "p95", "p99"] as const).map((name) => percentileLine(name, endpoint[name], pen)),
    ...errorLine(endpoint.errors, pen),
  ];
}

/** Below this there is no room for the interval. */
const WIDE = 80;

function percentileLine(name: string, change: PercentileChange, pen: Pen): string {
  const { beforeMs, nowMs, differenceMs, lowMs, highMs, verdict } = change;
  const relative = beforeMs > 0 ? signedPercent(differenceMs / beforeMs) : "";
  const word = padEnd(WORD[verdict], 8);
  const figures = `${padEnd(fromTo(beforeMs, nowMs), 19)} ${padStart(relative, 7)}`;
  const painted =
    verdict === "same" || verdict === "insufficient-data" ? pen.faint(word) : paintVerdict(verdict, word, pen);
  const interval =
    pen.look.width < WIDE || lowMs === null || highMs === null
      ? ""
      : pen.faint(`${difference(lowMs)} to ${difference(highMs)}`);
  return `  ${name === "p99" ? pen.strong(name) : name}  ${figures}  ${painted} ${interval}`;
}

/** "5 %", "12.5 %": a figure that somebody chose. */
const shortPercent = (ratio: number): string => `${Number((ratio * 100).toFixed(2))} %`;

/** "+12 %", "−3.1 %", "0 %"; nothing that is not nothing reads as 0 %. */
function signedPercent(ratio: number): string {
  if (ratio === 0) return "0 %";
  const size = Math.abs(ratio);
  // Tenfold and more are read more easily as a factor.
  if (ratio >= 9) return `${(1 + ratio).toFixed(ratio < 99 ? 1 : 0)} ×`;
  return `${ratio < 0 ? "−" : "+"}${percent(size)}`;
}

function errorLine({ before, now, verdict }: ErrorChange, pen: Pen): string[] {
  if (before === 0 && now === 0) return [];
  const text = `  errors ${percent(before)} → ${percent(now)}  ${WORD[verdict]}`;
  return [verdict === "worse" ? pen.error(text) : paintVerdict(verdict, text, pen)];
}

function singles(title: string, remark: string, list: readonly SingleEndpoint[], pen: Pen): string[] {
  if (list.length === 0) return [];
  const lines = list.slice(0, SHOWN).map((endpoint) => {
    const right = `${padStart(plural(endpoint.requests, "request"), 16)}  p50 ${padStart(duration(endpoint.p50Ms), 7)}  p99 ${padStart(duration(endpoint.p99Ms), 7)}`;
    const room = pen.look.width - columns(right) - 4;
    return `  ${padEnd(clipMiddle(`${endpoint.operation}  ${endpoint.service}`, room), room)}  ${pen.faint(right)}`;
  });
  const left = list.length - SHOWN;
  if (left > 0) lines.push(pen.faint(`  ${count(left)} more: --json has all.`));
  return ["", heading(title, remark, pen), ...lines];
}

function meanChange({ mean }: CompareReport, pen: Pen): string[] {
  if (mean === null || !isVisible(mean)) return [];
  const line = (label: string, ms: number, meaning: string): string =>
    `  ${padEnd(label, 10)} ${padStart(ms === 0 ? "0 ms" : difference(ms), 9)}  ${pen.faint(clip(meaning, pen.look.width - 24))}`;
  return [
    "",
    heading("The mean of all requests", `${fromTo(mean.beforeMs, mean.nowMs)}, ${difference(mean.changeMs)}`, pen),
    line("mix", mean.mixMs, "more or fewer requests to expensive endpoints"),
    line("speed", mean.slowdownMs, "the same endpoints became slower or faster"),
  ];
}

/** A change that would print as no change. */
const isVisible = ({ beforeMs, mixMs, slowdownMs }: MeanChange): boolean =>
  Math.max(Math.abs(mixMs), Math.abs(slowdownMs)) >= 0.001 * beforeMs;

const SHOWN_PATHS = 10;
const BAR = 12;

function paths({ paths: list, otherPaths }: CompareReport, pen: Pen): string[] {
  if (list.length === 0) return [];
  const largest = Math.max(...list.map(({ slowdownMs }) => Math.abs(slowdownMs)));
  const shown = list.slice(0, SHOWN_PATHS);
  const rest = list.slice(SHOWN_PATHS).reduce((sum, { slowdownMs }) => sum + slowdownMs, 0);
  const others = list.length - shown.length + otherPaths.count;
  return [
    "",
    heading("Where that comes from", "own time of each step, per request", pen),
    ...shown.map((path) => pathLine(path, largest, pen)),
    ...(others === 0
      ? []
      : [
          pen.faint(
            `  ${padEnd("", BAR)} ${padStart(difference(rest + otherPaths.slowdownMs), 9)}  ${plural(others, "other call path")}`,
          ),
        ]),
  ];
}

function pathLine({ path, service, statement, slowdownMs }: PathChange, largest: number, pen: Pen): string {
  const bar = ratioBar(Math.abs(slowdownMs) / largest, BAR);
  const paint = slowdownMs > 0 ? pen.worse : pen.better;
  const room = pen.look.width - BAR - 15;
  return `  ${paint(bar)} ${padStart(difference(slowdownMs), 9)}  ${whereText([...path.slice(0, -1), statement === undefined ? path.at(-1)! : `${service} ${statement}`], room)}`;
}

/** The last step (a statement says more than its operation) in full where it fits, then as much of the way to it as there is room for. */
function whereText(path: readonly string[], room: number): string {
  const last = clipMiddle(path.at(-1)!, Math.max(24, Math.floor(0.6 * room)));
  const above = path.slice(0, -1);
  const left = room - columns(last) - 3;
  if (above.length === 0 || left < 12) return last;
  return `${clipMiddle(above.join(" › "), left)} › ${last}`;
}

function cautions({ cautions: list }: CompareReport, pen: Pen): string[] {
  if (list.length === 0) return [];
  return [
    "",
    heading("Data", "", pen),
    ...list.flatMap((text) =>
      wrap(text, pen.look.width - 4, 4).map((line, i) => `  ${pen.worse(i === 0 ? "▲" : " ")} ${line}`),
    ),
  ];
}

function next({ verdict }: CompareReport, { before, now, command }: ComparedSources, pen: Pen): string[] {
  if (verdict !== "worse") return [];
  return ["", `Why: ${pen.code(`${command} analyze ${shellWord(now)} --baseline ${shellWord(before)}`)}`];
}
