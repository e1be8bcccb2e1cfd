import type { Finding, Severity } from "../../model/report.ts";
import { clip, clipMiddle, columns, padEnd, padStart, wrap } from "./layout.ts";
import { impactRange, impactText, percent } from "./numbers.ts";
import type { Pen } from "./pen.ts";
import type { Sources } from "./frame.ts";
import { isSafeText } from "./safe-text.ts";

/** Columns of the figures on the right of a finding's first lines. */
const FIGURES = 25;
/** Columns before the text: rank, mark and a space each. */
const INDENT = 5;

const MARKS: Readonly<Record<Severity, string>> = { critical: "■", warning: "◆", note: "·" };

/**
 * A finding that asks for action: what, where and the gain side by side, then the
 * reasoning from symptom to cause, what it rests on, what speaks against it, and what to do.
 */
export function renderFinding(finding: Finding, sources: Sources, pen: Pen): string[] {
  return [
    ...headline(finding, pen),
    ...paragraph(finding.why, pen),
    ...field("because", chain(finding, pen), pen),
    ...field("evidence", evidence(finding, pen), pen),
    ...field(
      "against",
      finding.counter.flatMap((text) => valueLines(text, pen)),
      pen,
    ),
    ...field("wrong if", valueLines(finding.refutedBy, pen), pen),
    ...field("fix", fix(finding, pen), pen),
    ...tryIt(finding, sources, pen),
  ];
}

function headline(finding: Finding, pen: Pen): string[] {
  const room = pen.look.width - INDENT - FIGURES - 2;
  const titles = wrap(finding.title, room, 4).map((line) => pen.strong(line));
  const { subject, impact, severity } = finding;
  const places = [subject.service, subject.operation, subject.resource, subject.instance, subject.host, subject.frame];
  const place = places
    .filter((part) => part !== undefined && part !== "")
    .map((part) => clipMiddle(part!, room - 3))
    .join(" › ");
  const facts = `${finding.mechanism} · confidence ${percent(finding.confidence)}`;
  const left = [
    ...titles,
    ...wrap(place, room, 3),
    ...wrap(`${severity} · ${facts}`, room).map((line) => pen.faint(line)),
  ];
  const right = [
    pen.strong(padStart(impactText(impact), FIGURES)),
    pen.faint(padStart(`predicted ${impactRange(impact)}`, FIGURES)),
    gainBar(finding, pen),
  ];
  const endpoint = impact.metric === "ceiling" ? "of all endpoints" : `of ${impact.endpoint.operation}`;
  right.push(pen.faint(padStart(clipMiddle(endpoint, FIGURES), FIGURES)));
  const mark = `${padStart(String(finding.rank), 2)} ${pen.severity(severity, MARKS[severity])} `;
  return Array.from({ length: Math.max(left.length, right.length) }, (_, i) => {
    return `${i === 0 ? mark : " ".repeat(INDENT)}${padEnd(left[i] ?? "", room)}  ${right[i] ?? ""}`;
  });
}

/** What would be left of the percentile, and what would go, as parts of one bar; of a ceiling what is there, and what would come. */
function gainBar({ impact }: Finding, pen: Pen): string {
  const [part, whole] = impact.metric === "ceiling" ? [impact.now, impact.predicted] : [impact.predicted, impact.now];
  const left = whole <= 0 ? 1 : Math.min(1, Math.max(0, part / whole));
  const kept = Math.round(left * FIGURES);
  return pen.faint("█".repeat(kept)) + pen.worse("▒".repeat(FIGURES - kept));
}

function paragraph(text: string, pen: Pen): string[] {
  return wrap(text, pen.look.width - INDENT, 8).map((line) => " ".repeat(INDENT) + line);
}

const LABEL = 10;

function field(label: string, lines: readonly string[], pen: Pen): string[] {
  return lines.map((line, i) => `${" ".repeat(INDENT)}${pen.faint(padEnd(i === 0 ? label : "", LABEL))}${line}`);
}

const valueWidth = (pen: Pen): number => pen.look.width - INDENT - LABEL;

const valueLines = (text: string, pen: Pen): string[] => (text === "" ? [] : wrap(text, valueWidth(pen), 6));

/** Symptom first; each cause one step further in. Deep chains stop moving to the right. */
const MAX_STEPS_IN = 4;

function chain(finding: Finding, pen: Pen): string[] {
  return finding.chain.flatMap((link, i) => {
    const arrow = i === 0 ? "" : `${"  ".repeat(Math.min(i - 1, MAX_STEPS_IN))}└→ `;
    const marks = link.evidence.map((at) => `[${at + 1}]`).join("");
    const lines = wrap(`${link.claim}${marks === "" ? "" : ` ${marks}`}`, valueWidth(pen) - columns(arrow), 3);
    return lines.map((line, j) => pen.faint(j === 0 ? arrow : " ".repeat(columns(arrow))) + line);
  });
}

function evidence(finding: Finding, pen: Pen): string[] {
  return finding.evidence.flatMap((item, i) => {
    const mark = `[${i + 1}] `;
    const room = valueWidth(pen) - mark.length;
    const text = wrap(item.text, room, 4).map((line, j) => (j === 0 ? mark : " ".repeat(mark.length)) + line);
    if (item.query === "") return text;
    return [...text, ...wrap(`check: ${item.query}`, room, 6).map((line) => " ".repeat(mark.length) + pen.faint(line))];
  });
}

function fix(finding: Finding, pen: Pen): string[] {
  const { remedy, subject } = finding;
  const lines = valueLines(remedy.text, pen);
  if (remedy.change !== undefined) lines.push(...wrap(remedy.change, valueWidth(pen), 4).map((line) => pen.code(line)));
  // Once is enough: mostly it is evidence already.
  if (subject.statement !== undefined && !finding.evidence.some(({ text }) => text.includes(subject.statement!))) {
    lines.push(...wrap(subject.statement, valueWidth(pen), 3).map((line) => pen.faint(line)));
  }
  return lines;
}

/** A command to paste: broken only between arguments, with a backslash. */
function tryIt(finding: Finding, sources: Sources, pen: Pen): string[] {
  if (finding.remedy.whatIf === undefined) return [];
  const files = (sources.arguments ?? sources.files).map(shellWord).join(" ");
  const words = [`${sources.command} what-if ${files}`, `--change ${shellWord(finding.remedy.whatIf)}`];
  const oneLine = words.join(" ");
  const lines = columns(oneLine) <= valueWidth(pen) ? [oneLine] : [`${words[0]} \\`, `  ${words[1]}`];
  return field(
    "try",
    lines.map((line) => pen.code(line)),
    pen,
  );
}

/**
 * `word` as a shell takes it literally. What a terminal would act on is written in octal within $'...'
 * (bash, zsh, ksh, POSIX 2024), so that a file's name can be pasted, but does nothing when printed.
 */
export function shellWord(word: string): string {
  if (!isSafeText(word)) {
    const plain = (byte: number): boolean => byte >= 0x20 && byte < 0x7f && byte !== 0x27 && byte !== 0x5c;
    const shown = (byte: number): string =>
      plain(byte) ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, "0")}`;
    return `$'${Array.from(new TextEncoder().encode(word), shown).join("")}'`;
  }
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A note takes one line: it asks for nothing. */
export function renderNote(finding: Finding, pen: Pen): string[] {
  const { impact } = finding;
  const figures = impactText(impact);
  const room = pen.look.width - INDENT - Math.max(FIGURES, columns(figures)) - 2;
  const shown = clip(finding.title, room);
  const mark = `${padStart(String(finding.rank), 2)} ${pen.severity("note", MARKS.note)} `;
  return [`${mark}${padEnd(shown, room)}  ${pen.faint(padStart(figures, Math.max(FIGURES, columns(figures))))}`];
}
