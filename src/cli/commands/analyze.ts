import { diagnose, type DiagnoseHooks, type DiagnoseInput } from "../../engine/diagnose.ts";
import type { ProfileInput } from "../../engine/code/service-profiles.ts";
import type { LoadedProfile } from "../../formats/load-profiles.ts";
import type { Objective } from "../../engine/objective.ts";
import { pageDocument } from "../../engine/page/page-document.ts";
import type { PageDocument } from "../../model/page.ts";
import type { Report, Severity } from "../../model/report.ts";
import { exitCodeOf } from "../exit-code.ts";
import { jsonDocument } from "../json-document.ts";
import { writePage } from "../../web/page-html.ts";
import { safeText } from "../render/safe-text.ts";
import { packageJson } from "../package-json.ts";
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
  /** where to write the page to look into; "-" is standard output */
  readonly html?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `longpole analyze`: recordings → report. Ctrl-C prints what is known by then. */
export function analyze(files: readonly string[], options: AnalyzeOptions, terminal: Terminal): Promise<number> {
  return withInputs(options.quiet === true, terminal, async ({ readWithProfiles, progress, signal }) => {
    const { spans, metrics, intake, profiles, ledgers } = await readWithProfiles(files);
    const baseline = options.baseline === undefined ? undefined : await readWithProfiles(options.baseline);
    const input = {
      spans,
      metrics,
      intake,
      ledgers,
      profiles: profilesOf(profiles, options.service),
      ...(baseline === undefined
        ? {}
        : {
            baseline: baseline.spans,
            baselineMetrics: baseline.metrics,
            baselineProfiles: profilesOf(baseline.profiles, options.service),
          }),
      ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
      ...(options.objective === undefined ? {} : { objectives: options.objective }),
    };
    const hooks = {
      signal,
      progress: (stage: string, at: number, total: number) =>
        progress.report(`${stage} (${count(at)} of ${count(total)})`),
    };
    const { report, page } = await reportOf(input, hooks, files, options);
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
    const isUnreadable = spans.rowCount + metrics.points.rowCount + profiles.length === 0 && intake.errors.length > 0;
    if (options.json === true) for (const piece of jsonDocument(told)) terminal.out(piece);
    // Nothing of what was named could be read, and each error was told: a report of nothing would only hide them.
    else if (!isUnreadable) terminal.out(`${renderReport(told, sources, lookOf(options, terminal)).join("\n")}\n`);
    if (options.html !== undefined && page !== undefined) {
      await writePage(options.html, page);
      if (options.quiet !== true) terminal.err(`longpole: wrote ${safeText(options.html)}\n`);
    }
    const unreadable = intake.errors.length + (baseline?.intake.errors.length ?? 0) > 0;
    return exitCodeOf(told, options.failOn, unreadable);
  });
}

const profilesOf = (profiles: readonly LoadedProfile[], service: string | undefined): ProfileInput[] =>
  profiles.map(({ file, stacks }) => ({ source: file, stacks, ...(service === undefined ? {} : { service }) }));

/** The report, and the page around it where one is asked for. */
async function reportOf(
  input: DiagnoseInput,
  hooks: DiagnoseHooks,
  files: readonly string[],
  options: AnalyzeOptions,
): Promise<{ report: Report; page?: PageDocument }> {
  if (options.html === undefined) return { report: await diagnose(input, hooks) };
  const source = { files, baseline: options.baseline ?? [] };
  const page = await pageDocument({ ...input, producer: packageJson().version, source }, hooks);
  return { report: page.report, page };
}
