import { diagnose } from "../../engine/diagnose.ts";
import type { Objective } from "../../engine/objective.ts";
import type { Severity } from "../../model/report.ts";
import { exitCodeOf } from "../exit-code.ts";
import { jsonDocument } from "../json-document.ts";
import { count } from "../render/numbers.ts";
import { renderReport } from "../render/report.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";
import { withInputs } from "../with-inputs.ts";

export interface AnalyzeOptions extends LookOptions {
  readonly baseline?: readonly string[];
  readonly endpoint?: string;
  readonly failOn?: Severity;
  /** of the profiles among the files */
  readonly service?: string;
  readonly objective?: readonly Objective[];
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `longpole analyze`: recordings → report. Ctrl-C prints what is known by then. */
export function analyze(files: readonly string[], options: AnalyzeOptions, terminal: Terminal): Promise<number> {
  return withInputs(options.quiet === true, terminal, async ({ read, readWithProfiles, progress, signal }) => {
    const { spans, metrics, intake, profiles } = await readWithProfiles(files);
    const baseline = options.baseline === undefined ? undefined : await read(options.baseline);
    const report = await diagnose(
      {
        spans,
        metrics,
        intake,
        profiles: profiles.map(({ file, stacks }) => ({
          source: file,
          stacks,
          ...(options.service === undefined ? {} : { service: options.service }),
        })),
        ...(baseline === undefined ? {} : { baseline: baseline.spans, baselineMetrics: baseline.metrics }),
        ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
        ...(options.objective === undefined ? {} : { objectives: options.objective }),
      },
      { signal, progress: (stage, at, total) => progress.report(`${stage} (${count(at)} of ${count(total)})`) },
    );
    progress.clear();
    const stopped = signal.aborted && report.dataQuality.complete;
    const told = {
      ...report,
      ...(stopped ? { dataQuality: { ...report.dataQuality, complete: false } } : {}),
    };
    const sources = {
      files,
      baseline: options.baseline ?? [],
      command: terminal.command,
      ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    };
    if (options.json === true) for (const piece of jsonDocument(told)) terminal.out(piece);
    else terminal.out(`${renderReport(told, sources, lookOf(options, terminal)).join("\n")}\n`);
    const unreadable = intake.errors.length + (baseline?.intake.errors.length ?? 0) > 0;
    return exitCodeOf(told, options.failOn, unreadable);
  });
}
