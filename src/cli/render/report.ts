import type { EndpointReport, Report } from "../../model/report.ts";
import { isInsufficient } from "../exit-code.ts";
import { columns, padEnd, wrap } from "./layout.ts";
import { renderCosts } from "./costs.ts";
import { renderEndpoint, renderEndpointTable } from "./endpoint.ts";
import { renderFinding, renderNote } from "./finding.ts";
import { count, duration, impactText, percent, plural, span } from "./numbers.ts";
import { finish, heading, type Sources } from "./frame.ts";
import { renderObjectives } from "./objectives.ts";
import { penFor, type Look, type Pen } from "./pen.ts";
import { safeTexts } from "./safe-text.ts";
import { renderThroughput } from "./throughput.ts";

/**
 * A report as lines for a terminal: what was read, the answer in a sentence, how the endpoints
 * do, where the time goes, what to do about it, what was ruled out and what cannot be told.
 * Every text of the report is made safe first. No line is wider than `look.width`, which
 * is taken as 60 at least, but for commands to paste: those are not broken inside an argument.
 */
export function renderReport(report: Report, sources: Sources, look: Look): string[] {
  const pen = penFor({ ...look, width: Math.max(60, look.width) });
  const safe = safeTexts(report);
  const lines = [
    ...header(safe, safeTexts(sources), pen),
    ...renderObjectives(safe.objectives ?? [], pen),
    "",
    ...verdict(safe, safeTexts(sources), pen),
    ...endpoints(safe, pen),
    ...findings(safe, sources, pen),
    ...renderThroughput(safe.throughput, pen),
    ...renderCosts(safe.costs ?? [], safe.costTotals, pen),
    ...ruledOut(safe, pen),
    ...unexplained(safe, pen),
    ...quality(safe, pen),
  ];
  return finish(lines, look);
}

function header(report: Report, sources: Sources, pen: Pen): string[] {
  const { dataQuality: quality, window } = report;
  const startMs = Number(BigInt(window.startUnixNs) / 1_000_000n);
  const endMs = Number(BigInt(window.endUnixNs) / 1_000_000n);
  const seen = `${plural(quality.traces, "trace")} · ${plural(quality.spans, "span")}`;
  const when =
    quality.spans === 0 ? "" : ` · ${clock(startMs)} – ${clock(endMs).slice(11)} UTC (${span(endMs - startMs)})`;
  const against = sources.baseline.length === 0 ? "" : ` against ${names(sources.baseline)}`;
  const partial = "Stopped early: this covers what was read until then.";
  return [
    ...wrap(`Longpole · ${names(sources.files)}${against}`, pen.look.width, 2).map((line) => pen.strong(line)),
    ...wrap(`${seen}${when}${shortfall(report)}`, pen.look.width).map((line) => pen.faint(line)),
    ...(quality.complete ? [] : [pen.worse(partial)]),
  ];
}

/** How much is missing, in a few words; the figures follow at the end of the report. */
function shortfall({ dataQuality: quality }: Report): string {
  const gaps: string[] = [];
  if (quality.incompleteTraces > 0) {
    gaps.push(`${percent(quality.incompleteTraces / Math.max(1, quality.traces))} of traces incomplete`);
  }
  if (quality.sampling === "head" || quality.sampling === "tail") gaps.push(`${quality.sampling}-sampled`);
  if (quality.skewedHosts.length > 0) gaps.push(plural(quality.skewedHosts.length, "skewed clock"));
  return quality.traces === 0 ? "" : gaps.length === 0 ? " · data complete" : ` · ${gaps.join(", ")}`;
}

const clock = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace("T", " ");

function names(files: readonly string[]): string {
  return files.length <= 3 ? files.join(", ") : `${files.slice(0, 2).join(", ")} and ${files.length - 2} more`;
}

/** The answer before its reasons: what to fix first, that nothing is to fix, or why it cannot be told. */
function verdict(report: Report, sources: Sources, pen: Pen): string[] {
  const { width } = pen.look;
  const full = report.findings.filter((finding) => finding.severity !== "note");
  const first = full[0];
  if (first !== undefined) {
    const { impact } = first;
    const [figures, change] = splitOnce(impactText(impact));
    const of = impact.metric === "ceiling" ? "of all endpoints" : `of ${impact.endpoint.operation}`;
    const many = full.length === 1 ? "1 thing to fix" : `${count(full.length)} things to fix, first`;
    const text = `■ ${many}: ${first.title} (${figures} ${of} ${change})`;
    return wrap(text, width - 2, 4).map((line, i) => pen.severity(first.severity, i === 0 ? line : `  ${line}`));
  }
  const [text, paint] = withoutFinding(report, sources, pen);
  return wrap(text, width - 2).map((line, i) => paint(i === 0 ? line : `  ${line}`));
}

/** The metric, and the figures behind it. */
function splitOnce(text: string): [string, string] {
  const at = text.indexOf(" ");
  return [text.slice(0, at), text.slice(at + 1)];
}

function withoutFinding(report: Report, { endpoint }: Sources, pen: Pen): [string, (text: string) => string] {
  if (report.dataQuality.traces === 0) return [`▲ Nothing to analyse: ${withoutSpans(report)}`, pen.worse];
  if (endpoint !== undefined && report.endpoints.length === 0) {
    const text = `▲ No endpoint has "${endpoint}" in its "SERVICE OPERATION". Without --endpoint all are shown.`;
    return [text, pen.worse];
  }
  if (isInsufficient(report)) {
    const text =
      "▲ Too little data to tell: no endpoint has enough complete traces for its percentiles to mean something.";
    return [text, pen.worse];
  }
  if (report.healthy) {
    const checked = report.checkedNotCause.length;
    const looked = checked > 0 ? ` ${plural(checked, "possible cause")} looked into and ruled out (below).` : "";
    const text = `✓ Nothing to fix: nothing in these traces looks like a fault.${looked} Whether this is fast enough, --objective tells; whether it became slower, --baseline.`;
    return [text, pen.better];
  }
  const why =
    report.findings.length > 0 ? "Only notes: nothing here is certain or large enough to act on." : "No cause found.";
  const text = `▲ ${why} That is not a clean bill of health: see what is unexplained and how good the data is.`;
  return [text, pen.strong];
}

/** Why there is no trace, as far as it can be told; from a server, where to look next. */
function withoutSpans({ live, dataQuality }: Report): string {
  const points = dataQuality.metricPoints?.received ?? 0;
  const metrics = points === 0 ? "" : ` ${plural(points, "point")} of metrics came:`;
  if (live === undefined) return `no span of a trace was read.${metrics === "" ? "" : `${metrics.slice(0, -1)}.`}`;
  if (live.spansInWindow > 0)
    return `no whole trace lies in this window, though ${plural(live.spansInWindow, "span")} do.`;
  return metrics === ""
    ? "no span came in this window. What `longpole up` prints at its start is what services need to send to it; its /api/v1/status counts what came, and what was refused and why."
    : `no span came in this window.${metrics} the exporter reaches the server, so look at what makes the spans (is the instrumentation loaded before the code it instruments? are traces switched off or sampled away?).`;
}

/** Endpoints shown with their blame, the one that most is to gain at; the others follow as one line each: what to fix should stand on the first screen. */
const SHOWN_IN_FULL = 1;
const SHOWN_AS_ROWS = 12;

function endpoints(report: Report, pen: Pen): string[] {
  const ordered = byImportance(report);
  const lines: string[] = [];
  for (const endpoint of ordered.slice(0, SHOWN_IN_FULL)) lines.push("", ...renderEndpoint(endpoint, pen));
  const others = ordered.slice(SHOWN_IN_FULL, SHOWN_IN_FULL + SHOWN_AS_ROWS);
  if (others.length > 0) lines.push("", ...renderEndpointTable(others, pen));
  const left = ordered.length - SHOWN_IN_FULL - others.length;
  if (left > 0)
    lines.push(pen.faint(`  ${plural(left, "further endpoint")}: --endpoint shows one of them, --json all.`));
  return lines;
}

/** Endpoints of findings above a note in the order of rank, then the order of the report. */
function byImportance(report: Report): EndpointReport[] {
  const rank = new Map<string, number>();
  const key = (at: { service: string; operation: string }): string => JSON.stringify([at.service, at.operation]);
  for (const finding of report.findings) {
    const at = key(finding.impact.endpoint);
    if (finding.severity !== "note" && !rank.has(at)) rank.set(at, finding.rank);
  }
  const order = (endpoint: EndpointReport): number => rank.get(key(endpoint)) ?? Infinity;
  return report.endpoints.toSorted((a, b) => (order(a) === order(b) ? 0 : order(a) - order(b)));
}

const SHOWN_NOTES = 5;

function findings(report: Report, sources: Sources, pen: Pen): string[] {
  const full = report.findings.filter((finding) => finding.severity !== "note");
  const notes = report.findings.filter((finding) => finding.severity === "note");
  const lines: string[] = [];
  if (full.length > 0) {
    lines.push("", heading("What to fix", "by expected gain; gains do not add up", pen));
    for (const finding of full) lines.push("", ...renderFinding(finding, sources, pen));
  }
  if (notes.length > 0) {
    lines.push("", heading("Notes", "possible gains without a sign that something is wrong there", pen));
    for (const note of notes.slice(0, SHOWN_NOTES)) lines.push(...renderNote(note, pen));
    const left = notes.length - SHOWN_NOTES;
    if (left > 0) lines.push(pen.faint(`     ${plural(left, "smaller note")}: --json has all, with the whole text.`));
  }
  return lines;
}

function ruledOut(report: Report, pen: Pen): string[] {
  if (report.checkedNotCause.length === 0) return [];
  const first = Math.min(28, Math.max(...report.checkedNotCause.map((entry) => columns(entry.what))));
  const lines = ["", heading("Checked, and not a cause", "", pen)];
  for (const { what, detail } of report.checkedNotCause) lines.push(...twoColumns(what, detail, first, pen));
  return lines;
}

/** Most time first; a system can have services by the thousand. */
const SHOWN_UNEXPLAINED = 12;

function unexplained(report: Report, pen: Pen): string[] {
  if (report.unexplained.length === 0) return [];
  const lines = [
    "",
    heading("Unexplained, and how to find out", "time in a slow request of which spans do not tell the reason", pen),
  ];
  const shown = report.unexplained.slice(0, SHOWN_UNEXPLAINED);
  const first = Math.min(28, Math.max(...shown.map((entry) => columns(entry.service) + 10)));
  for (const { service, p99Ms, collect } of shown) {
    lines.push(...twoColumns(`${service} ${duration(p99Ms)}`, collect, first, pen));
  }
  const left = report.unexplained.length - shown.length;
  if (left > 0) lines.push(pen.faint(`  ${plural(left, "further service")}, with less time: --json has all.`));
  return lines;
}

/** A label on the left, its text wrapped on the right; a long label has lines of its own. */
function twoColumns(label: string, text: string, first: number, pen: Pen): string[] {
  const labels = wrap(label, first, 2);
  const texts = wrap(text, pen.look.width - first - 4, 6);
  return Array.from({ length: Math.max(labels.length, texts.length) }, (_, i) => {
    return `  ${padEnd(labels[i] ?? "", first)}  ${pen.faint(texts[i] ?? "")}`;
  });
}

function quality(report: Report, pen: Pen): string[] {
  const { ledger, warnings, gates, skewedHosts } = report.dataQuality;
  const { width } = pen.look;
  const lines = ["", heading("Data", "", pen)];
  const parts = [`${count(ledger.received)} spans received = ${count(ledger.analysed)} analysed`];
  if (ledger.incomplete > 0) parts.push(`${count(ledger.incomplete)} in incomplete traces`);
  for (const { reason, spans } of ledger.rejected)
    parts.push(`${count(spans)} rejected (${reason.replaceAll("-", " ")})`);
  lines.push(...wrap(parts.join(" + "), width - 2).map((line) => `  ${line}`));
  for (const { reason, example } of ledger.rejected) {
    lines.push(...bullet(`${reason.replaceAll("-", " ")}, for example: ${example}`, pen));
  }
  for (const gate of gates) if (!gate.ok) lines.push(...bullet(`${gate.name} fails: ${gate.detail}`, pen));
  for (const { from, to, appliedMs, lowMs, highMs } of skewedHosts) {
    const bounds = `between ${lowMs.toFixed(1)} and ${highMs.toFixed(1)} ms`;
    lines.push(
      ...bullet(`the clock of ${to} was moved by ${appliedMs.toFixed(1)} ms against ${from} (${bounds})`, pen),
    );
  }
  for (const warning of warnings) lines.push(...bullet(warning, pen));
  return lines;
}

function bullet(text: string, pen: Pen): string[] {
  return wrap(text, pen.look.width - 4, 4).map((line, i) => `  ${pen.worse(i === 0 ? "▲" : " ")} ${line}`);
}
