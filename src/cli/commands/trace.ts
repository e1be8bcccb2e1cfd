import { performance } from "node:perf_hooks";
import { runBpftrace } from "../../agent/run-bpftrace.ts";
import { RecordError, runningProcess } from "../../agent/target-process.ts";
import { OWN_PROBES, probeNamed, readyProbes, traceProgram, type TraceProbe } from "../../agent/trace-probes.ts";
import { TraceTotals } from "../../agent/trace-totals.ts";
import { EXIT } from "../exit-code.ts";
import { jsonDocument } from "../json-document.ts";
import { traceLine, renderProbes, renderTrace } from "../render/trace.ts";
import { safeText } from "../render/safe-text.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";

export interface TraceOptions extends LookOptions {
  readonly pid?: number;
  readonly seconds: number;
  readonly maxHits?: number;
  readonly list?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `longpole trace`: a ready probe by name, or a bpftrace program → a histogram over time. */
export async function trace(wanted: string | undefined, options: TraceOptions, terminal: Terminal): Promise<number> {
  const look = lookOf(options, terminal);
  if (options.list === true) {
    const listed = readyProbes().map(({ name, title, unit, takesPid }) => ({ name, title, unit, takesPid }));
    if (options.json === true) terminal.out(`${JSON.stringify(listed, null, 2)}\n`);
    else terminal.out(`${renderProbes(listed, terminal.command, look).join("\n")}\n`);
    return EXIT.ok;
  }
  const refuse = (text: string): number => {
    terminal.err(`longpole: ${safeText(text)}\n`);
    return EXIT.unusable;
  };
  if (wanted === undefined) return refuse("what to trace? a name of --list, or a bpftrace program");
  const isProgram = wanted.includes("{");
  const probe = isProgram ? undefined : probeNamed(wanted);
  if (probe !== undefined && "wrong" in probe) return refuse(probe.wrong);
  const wrong = wrongUsage(probe, isProgram, options);
  if (wrong !== undefined) return refuse(wrong);

  const shown = probe ?? {
    name: "program",
    title: "a bpftrace program",
    unit: "nanoseconds" as const,
    keys: "text" as const,
  };
  const totals = new TraceTotals(shown);
  const began = performance.now();
  const since = (): number => (performance.now() - began) / 1000;
  let missing = 0;
  const most = options.maxHits ?? probe?.maxHitsPerSecond ?? 0;
  const program =
    probe === undefined
      ? `${wanted}\ninterval:s:${options.seconds} { exit(); }`
      : traceProgram(probe, options.pid, options.seconds, most);
  let wasInterrupted = false;
  try {
    if (options.pid !== undefined) runningProcess(options.pid);
    const run = runBpftrace(program, options.seconds, (line) => {
      // Patterns that match nothing attach nothing, without a word.
      if (line.type === "attached" && probe !== undefined) missing = probe.attaches + OWN_PROBES - line.probes;
      const interval = totals.take(line, since());
      if (interval !== undefined && interval.count > 0 && options.json !== true)
        terminal.out(`${traceLine(interval, shown.unit, look)}\n`);
    });
    const stopListening = terminal.onInterrupt(() => {
      wasInterrupted = true;
      run.stop();
    });
    try {
      await run.done;
    } finally {
      stopListening();
    }
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return refuse(hint(error.message));
  }
  if (missing > 0 && options.quiet !== true)
    terminal.err(`longpole: ${missing} of ${probe!.attaches} probes could not be attached on this host\n`);
  const report = totals.report(since(), wasInterrupted);
  if (report.ended === "limit" && options.quiet !== true)
    terminal.err(
      `longpole: more than ${most.toLocaleString("en")} hits a second: taken off early (--max-hits raises it)\n`,
    );
  if (options.json === true) for (const piece of jsonDocument(report)) terminal.out(piece);
  else terminal.out(`${renderTrace(report, look).join("\n")}\n`);
  return report.hits === 0 && report.printed.length === 0 ? EXIT.insufficientData : EXIT.ok;
}

function wrongUsage(probe: TraceProbe | undefined, isProgram: boolean, { pid }: TraceOptions): string | undefined {
  if (process.platform !== "linux") return `trace looks at Linux's kernel; this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "bpftrace needs root: run it with sudo; longpole record -p PID does not";
  if (pid !== undefined && isProgram) return "a program says itself which process it looks at: /pid == 4711/";
  if (pid !== undefined && probe?.takesPid === false)
    return `${probe.name} looks at the whole host; longpole record -p ${pid} looks at one process`;
  return undefined;
}

const hint = (message: string): string =>
  /ENOENT/.test(message) ? "bpftrace is not installed: apt-get install bpftrace" : message;
