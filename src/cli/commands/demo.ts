import type { Severity } from "../../model/report.ts";
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
  readonly record?: string;
  readonly seconds?: number;
  readonly rate?: number;
  readonly seed: number;
  readonly failOn?: Severity;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/**
 * `longpole demo`: the sample system with a fault → its diagnosis, and with `--fix` what the
 * fix brought against what was predicted. The lab is loaded here and nowhere else.
 */
export async function demo(options: DemoCommandOptions, terminal: Terminal): Promise<number> {
  const { FAULTS, faultNamed } = await import("../../lab/faults/table.ts");
  const { LabError } = await import("../../lab/lab-error.ts");
  const look = lookOf(options, terminal);
  if (options.list === true) {
    const listed = FAULTS.map(({ name, summary, kind, truths }) => ({
      name,
      service: truths[0]?.service ?? "",
      mechanism: truths[0]?.mechanism ?? "",
      summary,
      kind,
    }));
    if (options.json === true) terminal.out(`${JSON.stringify(listed, null, 2)}\n`);
    else terminal.out(`${renderFaultList(listed, terminal.command, look).join("\n")}\n`);
    return EXIT.ok;
  }
  const abort = new AbortController();
  const progress = progressOn(terminal, options.quiet === true);
  const say = (line: string, indent = ""): void => {
    progress.clear();
    if (options.quiet !== true) terminal.err(`${indent}${safeText(line)}\n`);
  };
  const stopListening = terminal.onInterrupt(() => {
    say("longpole: stopping the sample system (Ctrl-C again to leave at once)");
    abort.abort();
  });
  try {
    const fault = faultNamed(options.fault);
    const { runDemo } = await import("../../lab/run/run-demo.ts");
    say(`${fault.name}: ${fault.summary}`);
    const result = await runDemo(
      {
        fault,
        fix: options.fix === true,
        seed: options.seed,
        signal: abort.signal,
        ...(options.record === undefined ? {} : { folder: options.record }),
        ...(options.seconds === undefined ? {} : { seconds: options.seconds }),
        ...(options.rate === undefined ? {} : { perSecond: options.rate }),
      },
      {
        log: (line) => say(line, "  "),
        progress: (phase, { elapsedSeconds, seconds, completed, errors, lastSecond }) =>
          progress.report(
            `  ${phase}: ${Math.min(elapsedSeconds, seconds).toFixed(0)} of ${seconds} s, ${completed} requests, ${errors} errors, p99 of the last second ${lastSecond.p99Ms.toFixed(0)} ms`,
          ),
        diagnosed: ({ report, files, baseline }) => {
          progress.clear();
          if (options.json === true) return;
          const sources = { files, baseline, command: terminal.command };
          terminal.out(`${renderReport(report, sources, look).join("\n")}\n`);
        },
      },
    );
    const { diagnosis, fixes } = result;
    if (options.json === true) {
      const { ranks, load, analysisSeconds } = diagnosis;
      const about = {
        fault,
        ranks,
        load,
        analysisSeconds,
        fixes: fixes.map(({ phase, title, load: after, errors }) => ({ phase, title, load: after, errors })),
      };
      for (const piece of jsonDocument({ ...diagnosis.report, demo: about })) terminal.out(piece);
    } else {
      terminal.out(`${renderTruth(fault, diagnosis, options.record !== undefined, look).join("\n")}\n`);
      if (fixes.length > 0)
        terminal.out(`${renderFixes(fault.truths[0]!.endpoint.operation, diagnosis, fixes, look).join("\n")}\n`);
    }
    return exitCodeOf(diagnosis.report, options.failOn, false);
  } catch (error) {
    progress.clear();
    if (abort.signal.aborted) return EXIT.interrupted;
    if (!(error instanceof LabError)) throw error;
    terminal.err(`longpole: ${safeText(error.message)}\n`);
    return EXIT.unusable;
  } finally {
    stopListening();
  }
}
