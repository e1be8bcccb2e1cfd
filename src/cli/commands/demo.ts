import type { Diagnosis, DemoResult } from "../../lab/run/run-demo.ts";
import type { PhaseRecord } from "../../lab/run/phase.ts";
import type { Fault } from "../../lab/faults/fault.ts";
import type { Severity } from "../../model/report.ts";
import { type DemoServer, pageOf, startDemoServer } from "../demo-server.ts";
import { EXIT, exitCodeOf } from "../exit-code.ts";
import { jsonDocument } from "../json-document.ts";
import { progressOn } from "../progress.ts";
import { renderFaultList, renderFixes, renderTruth } from "../render/demo.ts";
import { renderReport } from "../render/report.ts";
import { safeText } from "../render/safe-text.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";

export interface DemoCommandOptions extends LookOptions {
  readonly fault: string;
  readonly list?: boolean;
  readonly fix?: boolean;
  /** absent: where a person looks at it */
  readonly ui?: boolean;
  readonly record?: string;
  readonly postgres?: boolean;
  readonly seconds?: number;
  readonly rate?: number;
  readonly seed: number;
  readonly failOn?: Severity;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/**
 * `longpole demo`: the sample system with a fault → its diagnosis, and with `--fix` what the fix brought against what was
 * predicted. With the UI, a server gets all that the system sends, and both stay until Ctrl-C. The lab is loaded here and
 * nowhere else.
 */
export async function demo(options: DemoCommandOptions, terminal: Terminal): Promise<number> {
  if (options.list === true) return list(options, terminal);
  const { faultNamed } = await import("../../lab/faults/table.ts");
  const { LabError } = await import("../../lab/lab-error.ts");
  const run = new DemoRun(options, terminal);
  try {
    const fault = faultNamed(options.fault);
    run.say(`${fault.name}: ${fault.summary}`);
    const { diagnosis } = await run.withServer((server) => run.through(fault, server));
    return exitCodeOf(diagnosis.report, options.failOn, false);
  } catch (error) {
    if (run.isAborted) return EXIT.interrupted;
    if (!(error instanceof LabError)) throw error;
    run.clear();
    terminal.err(`longpole: ${safeText(error.message)}\n`);
    return EXIT.unusable;
  } finally {
    run.end();
  }
}

async function list(options: DemoCommandOptions, terminal: Terminal): Promise<number> {
  const { FAULTS } = await import("../../lab/faults/table.ts");
  const listed = FAULTS.map(({ name, summary, kind, truths }) => ({
    name,
    service: truths[0]?.service ?? "",
    mechanism: truths[0]?.mechanism ?? "",
    summary,
    kind,
  }));
  if (options.json === true) terminal.out(`${JSON.stringify(listed, null, 2)}\n`);
  else terminal.out(`${renderFaultList(listed, terminal.command, lookOf(options, terminal)).join("\n")}\n`);
  return EXIT.ok;
}

/** One run of the sample system, and what is said meanwhile. The first Ctrl-C ends it; when it only stays to be looked at, with success. */
class DemoRun {
  private readonly abort = new AbortController();
  private readonly leave = new AbortController();
  private readonly progress;
  private readonly stopListening: () => void;
  private isStaying = false;

  private readonly options: DemoCommandOptions;
  private readonly terminal: Terminal;

  constructor(options: DemoCommandOptions, terminal: Terminal) {
    this.options = options;
    this.terminal = terminal;
    this.progress = progressOn(terminal, options.quiet === true);
    this.stopListening = terminal.onInterrupt(() => {
      this.say("longpole: stopping the sample system (Ctrl-C again to leave at once)");
      (this.isStaying ? this.leave : this.abort).abort();
    });
  }

  get isAborted(): boolean {
    return this.abort.signal.aborted;
  }

  clear(): void {
    this.progress.clear();
  }

  say(line: string, indent = ""): void {
    this.progress.clear();
    if (this.options.quiet !== true) this.terminal.err(`${indent}${safeText(line)}\n`);
  }

  end(): void {
    this.progress.clear();
    this.stopListening();
  }

  /** The work with a server where a person looks at it and there is an engine; without one, and why, where not. */
  async withServer<T>(work: (server: DemoServer | undefined) => Promise<T>): Promise<T> {
    const { ui, json } = this.options;
    const isWatched = json !== true && this.terminal.outIsTty && this.terminal.errIsTty;
    if (!(ui ?? isWatched)) return work(undefined);
    const { StoreError } = await import("../../store/store-error.ts");
    let server: DemoServer;
    try {
      server = await startDemoServer((level, event, fields) => {
        if (level !== "info") this.say(`${level}: ${event} ${JSON.stringify(fields ?? {})}`, "  ");
      });
    } catch (error) {
      if (!(error instanceof StoreError) || ui === true) throw error;
      this.say(`no page to look at: ${error.message}`, "  ");
      return work(undefined);
    }
    try {
      return await work(server);
    } finally {
      await server.stop();
    }
  }

  async through(fault: Fault, server: DemoServer | undefined): Promise<DemoResult> {
    const { runDemo } = await import("../../lab/run/run-demo.ts");
    const { options, progress } = this;
    const records = new Map<string, PhaseRecord>();
    let isShown = false;
    const show = (result: DemoResult): void => {
      if (!isShown) this.show(fault, result);
      isShown = true;
    };
    const result = await runDemo(
      {
        fault,
        fix: options.fix === true,
        seed: options.seed,
        signal: this.abort.signal,
        looksWithin: options.postgres === true,
        ...(server === undefined ? {} : { stayUntil: this.leave.signal, removeIfKilled: [server.folder] }),
        ...(options.record === undefined ? {} : { folder: options.record }),
        ...(options.seconds === undefined ? {} : { seconds: options.seconds }),
        ...(options.rate === undefined ? {} : { perSecond: options.rate }),
      },
      {
        log: (line) => this.say(line, "  "),
        progress: (phase, { elapsedSeconds, seconds, completed, errors, lastSecond }) =>
          progress.report(
            `  ${phase}: ${Math.min(elapsedSeconds, seconds).toFixed(0)} of ${seconds} s, ${completed} requests, ${errors} errors, p99 of the last second ${lastSecond.p99Ms.toFixed(0)} ms`,
          ),
        diagnosed: (diagnosis) => this.report(diagnosis),
        ...(server === undefined
          ? {}
          : {
              onTelemetry: (taken) => server.take(taken),
              recorded: async (phase, record) => {
                records.set(phase, record);
                await server.settle(record);
              },
              staying: (soFar) => {
                show(soFar);
                this.isStaying = true;
                this.tellWhere(pageOf(server.apiUrl, records.get("fault")!, records.get("before")));
              },
            }),
      },
    );
    show(result);
    return result;
  }

  private report({ report, files, baseline }: Diagnosis): void {
    this.progress.clear();
    const { options, terminal } = this;
    if (options.json === true) return;
    const sources = { files, baseline, command: terminal.command };
    terminal.out(`${renderReport(report, sources, lookOf(options, terminal)).join("\n")}\n`);
  }

  private show(fault: Fault, { diagnosis, fixes }: DemoResult): void {
    const { options, terminal } = this;
    const look = lookOf(options, terminal);
    if (options.json === true) {
      const { ranks, load, analysisSeconds } = diagnosis;
      const measured = fixes.map(({ phase, title, load: after, errors }) => ({ phase, title, load: after, errors }));
      const about = { fault, ranks, load, analysisSeconds, fixes: measured };
      for (const piece of jsonDocument({ ...diagnosis.report, demo: about })) terminal.out(piece);
      return;
    }
    terminal.out(`${renderTruth(fault, diagnosis, options.record !== undefined, look).join("\n")}\n`);
    if (fixes.length === 0) return;
    terminal.out(`${renderFixes(fault.truths[0]!.endpoint.operation, diagnosis, fixes, look).join("\n")}\n`);
  }

  /** Always told, also when quiet: nobody could find it otherwise. */
  private tellWhere(url: string): void {
    this.progress.clear();
    this.terminal.err(
      `\nLook into it:  ${url}\nThe system goes on under load. Ctrl-C ends it, and leaves nothing behind.\n`,
    );
  }
}
