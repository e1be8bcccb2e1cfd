import { flameReport } from "../../engine/flame.ts";
import type { ProcessRecording } from "../../model/process-recording.ts";
import type { LedgerRow, RecordReport } from "../../model/record-report.ts";
import type { StackTable } from "../../model/stack-table.ts";
import { placeText } from "../../analysis/frame-text.ts";
import { ratioBar, stackedBar, texture } from "./bar.ts";
import { renderFinding, renderNote } from "./finding.ts";
import { finish, heading } from "./frame.ts";
import { clip, clipMiddle, columns, padEnd, padStart, wrap } from "./layout.ts";
import { count, duration, percent, plural, span } from "./numbers.ts";
import { pageFaults } from "./page-faults.ts";
import { penFor, type Look, type Pen } from "./pen.ts";
import { safeTexts } from "./safe-text.ts";
import { timeKindWords } from "./time-kind-words.ts";

/**
 * A recording for a terminal: what was recorded, what stands out, where the threads' time went, each thread, the heaviest
 * functions on and off the processor, and how good the data is. command: what runs Longpole.
 */
export function renderRecord(report: RecordReport, recording: ProcessRecording, command: string, look: Look): string[] {
  const pen = penFor({ ...look, width: Math.max(60, look.width) });
  const safe = safeTexts(report);
  const lines = [
    ...header(safe, pen),
    "",
    ...verdict(safe, pen),
    ...ledger(safe, pen),
    ...threads(safe, pen),
    ...findings(safe, command, pen),
    ...functions("On the processor", recording.onCpu, pen),
    ...functions("Off the processor", recording.offCpu, pen),
    ...syscalls(safe, pen),
    ...pageFaults(safe, pen),
    ...latencies(safe, pen),
    ...ruledOut(safe, pen),
    ...quality(safe, pen),
  ];
  return finish(lines, look);
}

function header({ recording }: RecordReport, pen: Pen): string[] {
  const { name, pid, command, durationMs, threads: all, threadsLeft, quality: data } = recording;
  const seen = `${span(durationMs)} · ${plural(all.length + threadsLeft, "thread")} · ${plural(data.samples, "sample")}`;
  return [
    ...wrap(`Longpole · ${name} (process ${pid})`, pen.look.width, 2).map((line) => pen.strong(line)),
    ...wrap(`${seen} · ${clip(command, 200)}`, pen.look.width, 2).map((line) => pen.faint(line)),
  ];
}

function verdict({ findings: all }: RecordReport, pen: Pen): string[] {
  const full = all.filter(({ severity }) => severity !== "note");
  const first = full[0];
  const { width } = pen.look;
  if (first === undefined) {
    const text = "✓ Nothing stands out: no wait, function or system call takes much of a thread's time.";
    return wrap(text, width - 2).map((line, i) => pen.better(i === 0 ? line : `  ${line}`));
  }
  const many = full.length === 1 ? "1 thing stands out" : `${full.length} things stand out, first`;
  return wrap(`■ ${many}: ${first.title}`, width - 2, 4).map((line, i) =>
    pen.severity(first.severity, i === 0 ? line : `  ${line}`),
  );
}

const BAR = 24;
const PARTS = 3;

function ledger({ ledger: rows, recording }: RecordReport, pen: Pen): string[] {
  const lines = [
    "",
    heading(
      "Where the time went",
      `${duration(recording.threadMs)} of all threads together, waiting for work included`,
      pen,
    ),
    stackedBar(
      rows.map(({ ms, timeKind }) => ({ value: ms, timeKind: hue(timeKind) })),
      pen.look.width,
      pen,
    ),
  ];
  rows.forEach((row, i) => {
    const label = `${pen.kind(hue(row.timeKind), texture(i, pen))} ${padEnd(words(row.timeKind), 12)} ${padStart(duration(row.ms), 9)} ${padStart(percent(row.share), 7)}  `;
    lines.push(label + pen.faint(clip(partsText(row), pen.look.width - columns(label))));
  });
  return lines;
}

const hue = (kind: string): string => (kind === "throttled" ? "runnable" : kind);
const words = (kind: string): string => (kind === "throttled" ? "throttled" : timeKindWords(kind));

function partsText({ parts }: LedgerRow): string {
  const shown = parts.slice(0, PARTS).map(({ what, ms }) => `${what} ${duration(ms)}`);
  const left = parts.length - shown.length;
  return `${shown.join(", ")}${left > 0 ? `, and ${left} more` : ""}`;
}

const THREADS = 8;

function threads({ recording }: RecordReport, pen: Pen): string[] {
  const shown = recording.threads.slice(0, THREADS);
  const all = recording.threads.length + recording.threadsLeft;
  if (all < 2) return [];
  const lines = ["", heading("Threads", "busy: without sleep and waits for work", pen)];
  for (const thread of shown) {
    const label = `${padStart(String(thread.tid), 8)}  ${padEnd(clip(thread.name, 16), 16)}  ${padStart(percent(thread.busyShare), 8)} busy  `;
    const bar = stackedBar(
      thread.ledger.map(({ share, timeKind }) => ({ value: share, timeKind: hue(timeKind) })),
      BAR,
      pen,
    );
    const most = thread.ledger
      .toSorted((a, b) => b.share - a.share)
      .slice(0, 3)
      .map(({ timeKind, share }) => `${words(timeKind)} ${percent(share)}`);
    lines.push(
      `${label}${bar}  ${pen.faint(clip(most.join(", "), Math.max(0, pen.look.width - columns(label) - BAR - 2)))}`,
    );
  }
  if (all > shown.length)
    lines.push(pen.faint(`${plural(all - shown.length, "further thread")}: --json has the busiest 50.`));
  return lines;
}

function findings({ findings: all }: RecordReport, command: string, pen: Pen): string[] {
  const sources = { files: [], baseline: [], command };
  const full = all.filter(({ severity }) => severity !== "note");
  const notes = all.filter(({ severity }) => severity === "note");
  const lines: string[] = [];
  if (full.length > 0) {
    lines.push("", heading("What stands out", "by the thread's time that would be gone; gains do not add up", pen));
    for (const finding of full) lines.push("", ...renderFinding(finding, sources, pen));
  }
  if (notes.length > 0) {
    lines.push("", heading("Notes", "", pen));
    for (const note of notes) lines.push(...renderNote(note, pen));
  }
  return lines;
}

const FUNCTIONS = 8;
const SMALL_BAR = 8;

/** The heaviest functions of the program and its libraries; the kernel's stand for the system calls. */
function functions(title: string, table: StackTable, pen: Pen): string[] {
  if (table.samples.rowCount === 0) return [];
  const report = safeTexts(flameReport(table, 0));
  const shown = report.functions.filter(({ self }) => self > 0).slice(0, FUNCTIONS);
  if (shown.length === 0) return [];
  const lines = ["", heading(title, `${duration(report.total / 1e6)} by the innermost function`, pen)];
  const room = pen.look.width - SMALL_BAR - 2 * 17 - 3;
  for (const one of shown) {
    const place = placeText(one.file, one.line ?? -1);
    const name = padEnd(clipMiddle(place === "" ? one.name : `${one.name} (${place})`, room), room);
    const figure = `${padStart(duration(one.self / 1e6), 9)} ${padStart(percent(one.selfShare), 7)}`;
    lines.push(`${name} ${pen.worse(ratioBar(one.selfShare, SMALL_BAR))} ${figure}`);
  }
  const left = report.functions.filter(({ self }) => self > 0).length - shown.length;
  if (left > 0) lines.push(pen.faint(`${plural(left, "further function")}: --folded and --html have all.`));
  return lines;
}

const LATENCIES = 6;
/** System calls shown; below this share of one processor they say nothing. */
const SYSCALLS = 6;
const SEEN_OF_PROCESSOR = 0.005;

/** What the program's system calls cost, and where in the kernel: waits for something to do are left out. */
function syscalls({ recording }: RecordReport, pen: Pen): string[] {
  const share = (ms: number): number => ms / Math.max(1, recording.durationMs);
  const shown = recording.syscalls
    .filter(({ cpuMs, waitMs }) => share(cpuMs + waitMs) >= SEEN_OF_PROCESSOR)
    .slice(0, SYSCALLS);
  if (shown.length === 0) return [];
  const first = Math.max(...shown.map(({ syscall }) => columns(syscall)));
  const figures = `  ${padEnd("", first)} ${["computes", "waits"].map((text) => padStart(text, 10)).join("")}`;
  const lines = ["", heading("System calls", "of one processor, and of the time", pen), pen.faint(figures)];
  for (const { syscall, cpuMs, waitMs, frame, kernelPath } of shown) {
    const left = `  ${padEnd(syscall, first)} ${padStart(percent(share(cpuMs)), 10)}${padStart(percent(share(waitMs)), 10)}  `;
    const path = [...(frame === "" ? [] : [frame]), ...kernelPath].join(pen.look.ascii === true ? " > " : " → ");
    lines.push(`${left}${pen.faint(clipMiddle(path, Math.max(12, pen.look.width - columns(left))))}`);
  }
  return lines;
}

const LATENCY_WORDS: Readonly<Record<string, string>> = {
  "run-queue": "run queue",
  "block-io": "disk of the host",
  "tcp-connect": "TCP connect",
  "tcp-connect-failed": "TCP connect that failed",
  "kernel-lock": "lock of the kernel",
};

function latencies({ recording }: RecordReport, pen: Pen): string[] {
  const shown = recording.latencies.slice(0, LATENCIES);
  if (shown.length === 0) return [];
  const name = ({ what, which }: (typeof shown)[number]): string =>
    `${LATENCY_WORDS[what] ?? what}${which === "" ? "" : ` ${which}`}`;
  const first = Math.max(...shown.map((one) => columns(name(one))));
  const head = `  ${padEnd("", first)} ${["count", "mean", "p50", "p99"].map((text) => padStart(text, 10)).join("")}`;
  const lines = ["", heading("Latencies", "", pen), pen.faint(head)];
  for (const one of shown) {
    const figures = [count(one.count), ...[one.meanMs, one.p50Ms, one.p99Ms].map(duration)];
    lines.push(`  ${padEnd(name(one), first)} ${figures.map((text) => padStart(text, 10)).join("")}`);
  }
  return lines;
}

function ruledOut({ checkedNotCause }: RecordReport, pen: Pen): string[] {
  if (checkedNotCause.length === 0) return [];
  const first = Math.max(...checkedNotCause.map(({ what }) => columns(what)));
  return [
    "",
    heading("Checked, and not a cause", "", pen),
    ...checkedNotCause.map(({ what, detail }) => `  ${padEnd(what, first)}  ${pen.faint(detail)}`),
  ];
}

function quality({ recording, dataQuality }: RecordReport, pen: Pen): string[] {
  const { quality: data, cost, collector } = recording;
  const how = { helper: "probes in the kernel", perf: "perf and /proc", procfs: "/proc alone" }[collector] ?? collector;
  const stacks = `${percent(data.rooted)} of stacks lead to their root, ${percent(data.named)} of frames have a name, ${plural(data.lostSamples, "sample")} lost`;
  const price =
    cost === null
      ? ""
      : ` · cost ${percent(cost.coreShare)} of a core, ${count(cost.residentBytes / 1e6)} MB, attached in ${duration(cost.attachMs)}`;
  const lines = [
    "",
    heading("Data", "", pen),
    ...wrap(`by ${how} · ${stacks}${price}`, pen.look.width - 2).map((line) => `  ${line}`),
  ];
  const worse = [
    ...data.notObserved.map(({ what, why }) => `not observed: ${what}${why === "" ? "" : ` (${why})`}`),
    ...dataQuality.gates.filter(({ ok }) => !ok).map(({ name, detail }) => `${name} fails: ${detail}`),
    ...dataQuality.warnings,
  ];
  for (const text of worse)
    lines.push(...wrap(text, pen.look.width - 4, 3).map((line, i) => `  ${pen.worse(i === 0 ? "▲" : " ")} ${line}`));
  return lines;
}
