import { compare } from "../../engine/compare.ts";
import { buildWindow } from "../../engine/window.ts";
import type { CompareReport } from "../../model/compare-report.ts";
import type { SpanTable } from "../../model/span-table.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { jsonDocument } from "../json-document.ts";
import { renderCompare } from "../render/compare.ts";
import { count } from "../render/numbers.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";
import { withInputs } from "../with-inputs.ts";

export interface CompareCommandOptions extends LookOptions {
  readonly failOn?: "regression";
  /** share, 0.05 for 5 % */
  readonly threshold: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `longpole compare`: a baseline and a new recording → what became worse or better. */
export function compareRecordings(
  before: string,
  now: string,
  options: CompareCommandOptions,
  terminal: Terminal,
): Promise<number> {
  return withInputs(options.quiet === true, terminal, async ({ read, progress, signal }) => {
    const baseline = await read([before]);
    const current = await read([now]);
    const build = (spans: SpanTable): ReturnType<typeof buildWindow> =>
      buildWindow(spans, async (stage, at, total) => {
        progress.report(`${stage} (${count(at)} of ${count(total)})`);
        // A turn of the event loop, so that Ctrl-C is heard.
        await new Promise<void>((resolve) => setImmediate(resolve));
      });
    const compared = compare(
      { window: await build(baseline.spans) },
      { window: await build(current.spans) },
      { threshold: options.threshold },
    );
    progress.clear();
    // Half of a recording may be its better half: cut short, it is shown, but decides nothing.
    const cut = "stopped early: only what was read until then is compared";
    const report: CompareReport = signal.aborted
      ? { ...compared, verdict: "insufficient-data", cautions: [cut, ...compared.cautions] }
      : compared;
    if (options.json === true) for (const piece of jsonDocument(report)) terminal.out(piece);
    else
      terminal.out(
        `${renderCompare(report, { before, now, command: terminal.command }, lookOf(options, terminal)).join("\n")}\n`,
      );
    const unreadable = baseline.intake.errors.length + current.intake.errors.length > 0;
    return exitCodeOfComparison(report, options.failOn, unreadable);
  });
}

/** Damaged input outranks the verdict, as with `analyze`. */
export function exitCodeOfComparison(
  { verdict }: CompareReport,
  failOn: "regression" | undefined,
  unreadable: boolean,
): ExitCode {
  if (unreadable) return EXIT.unusable;
  if (verdict === "worse" && failOn === "regression") return EXIT.findings;
  return verdict === "insufficient-data" ? EXIT.insufficientData : EXIT.ok;
}
