import type { Intake } from "../model/intake.ts";
import type { MetricTable } from "../model/metric-table.ts";
import type { ProcessLedger } from "../model/process-ledger.ts";
import type { SpanTable } from "../model/span-table.ts";
import type { LoadedInputs } from "../formats/load-inputs.ts";
import type { LoadedProfile } from "../formats/load-profiles.ts";
import { progressOn, type Progress } from "./progress.ts";
import { plural } from "./render/numbers.ts";
import { safeText } from "./render/safe-text.ts";
import type { Terminal } from "./terminal.ts";

export interface Inputs {
  /** Spans and metrics of files and folders; what could not be read is told on stderr and stands in `intake.errors`. */
  read(paths: readonly string[]): Promise<{ spans: SpanTable; metrics: MetricTable; intake: Intake }>;
  /** The same, with the profiles and recordings of processes among them; their errors stand in `intake.errors`, too. */
  readWithProfiles(paths: readonly string[]): Promise<{
    spans: SpanTable;
    metrics: MetricTable;
    intake: Intake;
    profiles: readonly LoadedProfile[];
    ledgers: readonly ProcessLedger[];
  }>;
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
  const tell = (text: string): void => progress.report(text);
  const read = async (paths: readonly string[], profilesElsewhere: boolean): Promise<LoadedInputs> => {
    // Loaded where it is used: a command that reads profiles alone starts without the decoders of traces and metrics.
    const { readInputs } = await import("./read-inputs.ts");
    const loaded = await readInputs(paths, tell, abort.signal, profilesElsewhere);
    progress.clear();
    if (!quiet) terminal.err(skippedText(loaded.skipped));
    return loaded;
  };
  const tellErrors = (intake: Intake): void => {
    for (const error of intake.errors) terminal.err(`longpole: ${safeText(error.message)}\n`);
  };
  const inputs: Inputs = {
    read: async (paths) => {
      const loaded = await read(paths, false);
      tellErrors(loaded.intake);
      return loaded;
    },
    readWithProfiles: async (paths) => {
      const loaded = await read(paths, true);
      const { loadProfiles } = await import("../formats/load-profiles.ts");
      const { profiles, ledgers, errors, remarks } = await loadProfiles(paths, {
        others: "pass-over",
        signal: abort.signal,
      });
      for (const error of errors) loaded.intake.errors.push(error);
      if (!quiet) for (const remark of remarks) terminal.err(`longpole: ${safeText(remark)}\n`);
      tellErrors(loaded.intake);
      return { ...loaded, profiles, ledgers };
    },
    progress,
    signal: abort.signal,
  };
  try {
    return await work(inputs);
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
