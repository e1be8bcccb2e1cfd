import type { Intake } from "../model/intake.ts";
import type { MetricTable } from "../model/metric-table.ts";
import type { SpanTable } from "../model/span-table.ts";
import type { LoadedInputs } from "../formats/load-inputs.ts";
import { progressOn, type Progress } from "./progress.ts";
import { readInputs } from "./read-inputs.ts";
import { plural } from "./render/numbers.ts";
import { safeText } from "./render/safe-text.ts";
import type { Terminal } from "./terminal.ts";

export interface Inputs {
  /** Spans and metrics of files and folders; what could not be read is told on stderr and stands in `intake.errors`. */
  read(paths: readonly string[]): Promise<{ spans: SpanTable; metrics: MetricTable; intake: Intake }>;
  readonly progress: Progress;
  /** aborted by the first Ctrl-C: the work ends early with what is known */
  readonly signal: AbortSignal;
}

/** Gives a command what all that read recordings need, and takes it away again in the end. */
export async function withInputs(
  quiet: boolean,
  terminal: Terminal,
  work: (inputs: Inputs) => Promise<number>,
): Promise<number> {
  const progress = progressOn(terminal, quiet);
  const abort = new AbortController();
  const stopListening = terminal.onInterrupt(() => {
    progress.clear();
    terminal.err("longpole: stopping; what is known by now follows (Ctrl-C again to leave at once)\n");
    abort.abort();
  });
  const read: Inputs["read"] = async (paths) => {
    const loaded = await readInputs(paths, (text) => progress.report(text), abort.signal);
    progress.clear();
    if (!quiet) terminal.err(skippedText(loaded.skipped));
    for (const error of loaded.intake.errors) terminal.err(`longpole: ${safeText(error.message)}\n`);
    return loaded;
  };
  try {
    return await work({ read, progress, signal: abort.signal });
  } finally {
    progress.clear();
    stopListening();
  }
}

/** What was found besides traces and metrics, in one line: nobody should think that it was analysed. */
function skippedText(skipped: LoadedInputs["skipped"]): string {
  if (skipped.length === 0) return "";
  const { path, reason } = skipped[0]!;
  const others = skipped.length === 1 ? "" : `, and ${plural(skipped.length - 1, "other file")}`;
  return `longpole: not used: ${safeText(path)} (${safeText(reason)})${others}\n`;
}
