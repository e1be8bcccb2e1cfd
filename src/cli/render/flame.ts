import { placeText } from "../../analysis/frame-text.ts";
import type { FlameFunction, FlameReport } from "../../model/flame-report.ts";
import { finish, heading } from "./frame.ts";
import { hotLineRows } from "./hot-lines.ts";
import { clip, clipMiddle, columns, padEnd, padStart, wrap } from "./layout.ts";
import { count, duration, percent, plural } from "./numbers.ts";
import { penFor, type Look, type Pen } from "./pen.ts";
import { ratioBar } from "./bar.ts";
import { safeTexts } from "./safe-text.ts";

const FUNCTIONS = 20;
const STACKS = 5;
const PROCESSES = 8;
const CHANGES = 12;

/** Profiles for a terminal: what was sampled, the heaviest functions, the heaviest stacks, each process, what changed. */
export function renderFlame(
  report: FlameReport,
  files: readonly string[],
  base: string | undefined,
  look: Look,
): string[] {
  const pen = penFor({ ...look, width: Math.max(60, look.width) });
  const safe = safeTexts(shownOf(report));
  const lines = [
    ...header(safe, safeTexts(files), base, pen),
    ...difference(safe, pen),
    ...functions(safe, pen),
    ...hotLineRows(report.hotLines ?? [], pen),
    ...stacks(safe, pen),
    ...processes(safe, pen),
  ];
  return finish(lines, look);
}

/** What is looked at below, with how much of it is left: the report has thousands of functions. */
interface ShownFlame extends Omit<FlameReport, "functions" | "files"> {
  readonly functions: readonly FlameFunction[];
  readonly functionsLeft: number;
}

function shownOf(report: FlameReport): ShownFlame {
  const { files: _, ...rest } = report;
  const functions = report.functions.filter((one) => one.self > 0).slice(0, FUNCTIONS);
  return { ...rest, functions, functionsLeft: report.functions.length - functions.length };
}

function header(report: ShownFlame, files: readonly string[], base: string | undefined, pen: Pen): string[] {
  const { value, total, idle, samples } = report;
  const against = base === undefined ? "" : ` against ${safeTexts(base)}`;
  const what = `${amount(total, value.unit)} of ${value.type === "wall" ? "wall time" : value.type} in ${plural(samples, "sample")}`;
  const rest = idle === 0 ? "" : ` · besides, idle for ${amount(idle, value.unit)}`;
  const others = report.otherValues.map(({ type }) => type).join(", ");
  return [
    ...wrap(
      `Longpole · ${files.slice(0, 3).join(", ")}${files.length > 3 ? ", …" : ""}${against}`,
      pen.look.width,
      2,
    ).map((line) => pen.strong(line)),
    ...wrap(`${what}${rest}${others === "" ? "" : ` · --value also has ${others}`}`, pen.look.width).map((line) =>
      pen.faint(line),
    ),
  ];
}

const BAR = 8;
/** "12.3 ms 100 %" twice, and gaps */
const FIGURES = 15;

function functions(report: ShownFlame, pen: Pen): string[] {
  const room = pen.look.width - BAR - 2 * FIGURES - 5;
  const { functions: shown, functionsLeft: left } = report;
  if (shown.length === 0) return [];
  const place = Math.min(28, Math.max(5, ...shown.map((one) => columns(placeOf(one)))));
  const top = `${padEnd("function", room - place - 2)}  ${padEnd("where", place)}  ${" ".repeat(BAR)} ${padStart("self", FIGURES)} ${padStart("with callees", FIGURES)}`;
  const lines = ["", heading("Functions", "by what they spend themselves", pen), pen.faint(top)];
  for (const one of shown) {
    const name = padEnd(clipMiddle(one.name, room - place - 2), room - place - 2);
    const where = pen.faint(padEnd(clipMiddle(placeOf(one), place), place));
    const bar = pen.worse(ratioBar(one.selfShare, BAR));
    lines.push(
      `${name}  ${where}  ${bar} ${figure(one.self, one.selfShare, report)} ${figure(one.total, one.totalShare, report)}`,
    );
  }
  if (left > 0) lines.push(pen.faint(`${plural(left, "further function")}: --json has all.`));
  return lines;
}

/** The place in the source, else what kind of code it is. */
const placeOf = ({ file, line, kind }: FlameFunction): string => placeText(file, line ?? -1) || kind;

const figure = (value: number, share: number, { value: { unit } }: ShownFlame): string =>
  `${padStart(amount(value, unit), FIGURES - 7)} ${padStart(percent(share), 6)}`;

function amount(value: number, unit: string): string {
  if (unit === "nanoseconds") return duration(value / 1e6);
  if (unit === "microseconds") return duration(value / 1e3);
  if (unit === "bytes") return value >= 1e6 ? `${(value / 1e6).toFixed(1)} MB` : `${(value / 1e3).toFixed(1)} kB`;
  return value >= 1e9 ? `${(value / 1e9).toFixed(1)} G` : count(value);
}

function stacks(report: ShownFlame, pen: Pen): string[] {
  const shown = report.stacks.slice(0, STACKS);
  if (shown.length === 0) return [];
  const lines = ["", heading("Heaviest stacks", "the innermost call first", pen)];
  for (const { frames, value, share } of shown) {
    const label = `${padStart(percent(share), 7)} ${padStart(amount(value, report.value.unit), 9)}  `;
    const text = wrap(frames.toReversed().join(" ← "), pen.look.width - columns(label), 3);
    lines.push(...text.map((line, i) => (i === 0 ? label : " ".repeat(columns(label))) + line));
  }
  const left = report.stacks.length - shown.length + report.stacksLeft;
  if (left > 0) lines.push(pen.faint(`${plural(left, "lighter stack")}: --folded has all.`));
  return lines;
}

function processes(report: ShownFlame, pen: Pen): string[] {
  if (report.processes.length < 2) return [];
  const lines = ["", heading("Processes", "", pen)];
  const shown = report.processes.slice(0, PROCESSES);
  const first = Math.min(24, Math.max(...shown.map(({ name }) => columns(name))));
  for (const { name, total, share, functions: heaviest } of shown) {
    const label = `${padEnd(clip(name, first), first)}  ${figure(total, share, report)}  `;
    const top = heaviest.filter((one) => one.self > 0).map((one) => `${one.name} ${percent(one.selfShare)}`);
    lines.push(label + pen.faint(clip(top.join(", "), pen.look.width - columns(label))));
  }
  const left = report.processes.length - shown.length;
  if (left > 0) lines.push(pen.faint(`${count(left)} lighter process${left === 1 ? "" : "es"}: --json has all.`));
  return lines;
}

/** Chance makes many small differences: only those that it hardly makes are shown. */
const MAX_Q = 0.05;

function difference({ difference: found }: ShownFlame, pen: Pen): string[] {
  if (found === undefined) return [];
  const remark = `share of ${count(found.samplesBefore)} samples before, of ${count(found.samplesAfter)} now`;
  const lines = ["", heading("What changed", remark, pen)];
  const sure = found.functions.filter(({ qValue }) => qValue <= MAX_Q);
  const name = Math.max(12, pen.look.width - 42);
  for (const one of sure.slice(0, CHANGES)) {
    const change = one.selfShareAfter - one.selfShareBefore;
    const sign = `${change < 0 ? "−" : "+"}${percent(Math.abs(change))}`;
    const shares = `${padStart(percent(one.selfShareBefore), 7)} → ${padStart(percent(one.selfShareAfter), 7)}`;
    const paint = change < 0 ? pen.better : pen.worse;
    const place = placeText(one.file, -1);
    const label = clipMiddle(place === "" ? one.name : `${one.name} (${place})`, name);
    lines.push(`${padEnd(label, name)}  ${shares}  ${paint(padStart(sign, 8))}`);
  }
  if (sure.length === 0) lines.push("Nothing that chance would not make as well.");
  const left = sure.length - Math.min(sure.length, CHANGES);
  if (left > 0) lines.push(pen.faint(`${plural(left, "smaller change")}: --json has all.`));
  return lines;
}
