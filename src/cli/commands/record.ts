import { gzipSync } from "node:zlib";
import { helperPath } from "../../agent/probe-helper.ts";
import { recordProcess, type Recorded } from "../../agent/record-process.ts";
import { RecordError, runningProcess, startCommand, type TargetProcess } from "../../agent/target-process.ts";
import { flameTree } from "../../engine/flame-tree.ts";
import { recordReport } from "../../engine/micro/record-report.ts";
import { foldedText } from "../../formats/write-folded.ts";
import { writePprof } from "../../formats/write-pprof.ts";
import { mergeStackTables } from "../../model/merge-stack-tables.ts";
import type { ProcessRecording } from "../../model/process-recording.ts";
import { PROFILES_SCHEMA } from "../../model/profiles-page.ts";
import type { RecordReport } from "../../model/record-report.ts";
import { SEVERITIES, type Severity } from "../../model/report.ts";
import { writePage } from "../../web/page-html.ts";
import { EXIT } from "../exit-code.ts";
import { jsonDocument } from "../json-document.ts";
import { packageJson } from "../package-json.ts";
import { progressOn } from "../progress.ts";
import { shellWord } from "../render/finding.ts";
import { renderRecord } from "../render/record.ts";
import { safeText } from "../render/safe-text.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";
import { recordInspected } from "./record-inspected.ts";

export interface RecordCommandOptions extends LookOptions {
  readonly pid?: number;
  readonly inspect?: boolean;
  readonly offCpu?: boolean;
  readonly seconds: number;
  readonly hz: number;
  readonly html?: string;
  readonly folded?: boolean;
  readonly pprof?: boolean;
  readonly failOn?: Severity;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `longpole record`: a process or a command → where its threads' time goes, in user space and in the kernel. */
export async function record(
  words: readonly string[],
  options: RecordCommandOptions,
  terminal: Terminal,
): Promise<number> {
  const refused = wrongUsage(words, options, terminal);
  if (refused !== undefined) {
    terminal.err(`longpole: ${refused}\n`);
    return EXIT.unusable;
  }
  const abort = new AbortController();
  const progress = progressOn(terminal, options.quiet === true);
  const say = (text: string): void => {
    progress.clear();
    if (options.quiet !== true) terminal.err(`longpole: ${safeText(text)}\n`);
  };
  const stopListening = terminal.onInterrupt(() => {
    say("stopping; what is known by now follows (Ctrl-C again to leave at once)");
    abort.abort();
  });
  let target: TargetProcess | undefined;
  const began = performance.now();
  const tick = setInterval(() => {
    const elapsed = (performance.now() - began) / 1000;
    progress.report(`recording ${safeText(target?.name ?? "")}: ${elapsed.toFixed(0)} of ${options.seconds} s`);
  }, 100);
  try {
    target = options.pid === undefined ? await startCommand(words) : runningProcess(options.pid);
    if (options.inspect === true) return await recordInspected(target, options, terminal, abort.signal, say);
    const how = { seconds: options.seconds, hz: options.hz, signal: abort.signal };
    const recorded = await recordProcess(target, how, helperPath(terminal.environment));
    clearInterval(tick);
    progress.clear();
    for (const remark of recorded.remarks) say(remark);
    return await write(recorded, words, options, terminal);
  } catch (error) {
    progress.clear();
    if (!(error instanceof RecordError)) throw error;
    terminal.err(`longpole: ${safeText(error.message)}\n`);
    return EXIT.unusable;
  } finally {
    clearInterval(tick);
    stopListening();
    await target?.stop?.();
  }
}

function wrongUsage(
  words: readonly string[],
  { pid, pprof, inspect, offCpu, failOn }: RecordCommandOptions,
  terminal: Terminal,
): string | undefined {
  if (pid === undefined && words.length === 0) return "what to record? -p PID, or a command behind --";
  if (pid !== undefined && words.length > 0) return "either -p PID or a command, not both";
  if (inspect === true && pid === undefined)
    return "--inspect opens the inspector of a process that runs already: -p PID (a command can be started with --cpu-prof)";
  if (inspect === true && (offCpu === true || failOn !== undefined))
    return "--inspect sees the time on the processor alone, and makes no findings: not with --off-cpu or --fail-on";
  if (pid === process.pid) return `process ${pid} is this Longpole`;
  if (process.platform !== "linux") return `record looks at Linux's kernel; this is ${process.platform}`;
  if (pprof === true && terminal.outIsTty) return "pprof is binary; send it to a file: --pprof > profile.pb.gz";
  return undefined;
}

/** So short a recording tells nothing that would hold. */
const SHORTEST_NS = 2e7;

async function write(
  { recording }: Recorded,
  words: readonly string[],
  options: RecordCommandOptions,
  terminal: Terminal,
): Promise<number> {
  const shown = options.offCpu === true ? recording.offCpu : recording.onCpu;
  const report = recordReport(recording, again(words, options, terminal));
  if (options.html !== undefined) await writeRecordPage(recording, report, options.html, options, terminal);
  if (options.folded === true) for (const piece of foldedText(shown, { value: 0 })) terminal.out(piece);
  else if (options.pprof === true) terminal.out(gzipSync(writePprof(pprofTable(recording, options.offCpu === true))));
  else if (options.json === true) for (const piece of jsonDocument(report)) terminal.out(piece);
  else terminal.out(`${renderRecord(report, recording, terminal.command, lookOf(options, terminal)).join("\n")}\n`);
  const limit = options.failOn === undefined ? Infinity : SEVERITIES.indexOf(options.failOn);
  if (report.findings.some(({ severity }) => SEVERITIES.indexOf(severity) >= limit)) return EXIT.findings;
  return recording.durationNs < SHORTEST_NS ? EXIT.insufficientData : EXIT.ok;
}

/** Both kinds of time and page faults in one profile; what is looked at first is the one that was asked for. */
function pprofTable(
  { onCpu, offCpu, faults }: ProcessRecording,
  offFirst: boolean,
): ReturnType<typeof mergeStackTables> {
  const all = mergeStackTables([onCpu, offCpu, faults]);
  const wanted = offFirst ? "off-cpu" : "cpu";
  return {
    ...all,
    defaultValue: Math.max(
      0,
      all.valueTypes.findIndex(({ type }) => type === wanted),
    ),
  };
}

/** All that was recorded as one page; what was asked for is looked at first. */
async function writeRecordPage(
  { onCpu, offCpu, faults, name, pid }: ProcessRecording,
  report: RecordReport,
  file: string,
  options: RecordCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const on = flameTree(onCpu, 0, "on the processor");
  const off = flameTree(offCpu, 0, "off the processor");
  const trees = [
    ...(options.offCpu === true ? [off, on] : [on, off]),
    ...(faults.samples.rowCount === 0
      ? []
      : [flameTree(faults, 0, "page faults"), flameTree(faults, 1, "time of page faults")]),
  ];
  // The whole command may be lines long: the page has it in small, from the report.
  const title = `${name} (process ${pid})`;
  await writePage(file, { schema: PROFILES_SCHEMA, producer: packageJson().version, title, trees, record: report });
  if (options.quiet !== true) terminal.err(`longpole: wrote ${safeText(file)}\n`);
}

/** The command line that records the same once more, with these flags. */
function again(
  words: readonly string[],
  { pid, seconds }: RecordCommandOptions,
  terminal: Terminal,
): (flags: string) => string {
  const what = pid === undefined ? ` -- ${words.map(shellWord).join(" ")}` : ` -p ${pid}`;
  return (flags: string): string =>
    `${terminal.command} record --seconds ${seconds}${flags === "" ? "" : ` ${flags}`}${what}`;
}
