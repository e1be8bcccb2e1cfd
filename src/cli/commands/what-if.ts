import { whatIf } from "../../engine/what-if.ts";
import type { WhatIfReport } from "../../model/what-if-report.ts";
import { EXIT } from "../exit-code.ts";
import { progressOn } from "../progress.ts";
import { count } from "../render/numbers.ts";
import { safeText } from "../render/safe-text.ts";
import { renderWhatIf } from "../render/what-if.ts";
import { ServerClient, ServerError } from "../server-client.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";
import { withInputs } from "../with-inputs.ts";
import { windowParameters, type LiveOptions } from "./diagnose.ts";

export interface WhatIfCommandOptions extends LookOptions, Partial<LiveOptions> {
  readonly change: readonly string[];
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `longpole what-if`: recordings, or a server's window, and changes → the percentiles to expect with all changes together. */
export function predictChanges(
  files: readonly string[],
  options: WhatIfCommandOptions,
  terminal: Terminal,
): Promise<number> {
  if (options.url !== undefined) return predictLive(files, { ...options, url: options.url }, terminal);
  if (files.length === 0) {
    terminal.err("longpole: what-if needs recordings, or --url for those of a running server\n");
    return Promise.resolve(EXIT.unusable);
  }
  return withInputs(options.quiet === true, terminal, async ({ read, progress, signal }) => {
    const { spans, metrics, intake } = await read(files);
    const tell = (stage: string, at: number, total: number): void =>
      progress.report(`${stage} (${count(at)} of ${count(total)})`);
    const prediction = await whatIf(spans, options.change, { metrics }, { signal, progress: tell });
    progress.clear();
    print(prediction, options, terminal);
    if (intake.errors.length > 0) return EXIT.unusable;
    return prediction.endpoints.length === 0 ? EXIT.insufficientData : EXIT.ok;
  });
}

async function predictLive(
  files: readonly string[],
  options: WhatIfCommandOptions & LiveOptions,
  terminal: Terminal,
): Promise<number> {
  const abort = new AbortController();
  const stopListening = terminal.onInterrupt(() => abort.abort());
  const progress = progressOn(terminal, options.quiet === true);
  try {
    if (files.length > 0) throw new ServerError("what-if takes recordings or --url, not both");
    const client = new ServerClient(options, terminal.environment);
    progress.report("the server predicts");
    const body = { ...Object.fromEntries(windowParameters(options)), changes: options.change };
    const prediction = JSON.parse(await client.post("/api/v1/what-if", body, abort.signal)) as WhatIfReport;
    progress.clear();
    print(prediction, options, terminal);
    return prediction.endpoints.length === 0 ? EXIT.insufficientData : EXIT.ok;
  } catch (error) {
    progress.clear();
    if (abort.signal.aborted) return EXIT.interrupted;
    if (!(error instanceof ServerError)) throw error;
    terminal.err(`longpole: ${safeText(error.message)}\n`);
    return EXIT.unusable;
  } finally {
    stopListening();
  }
}

function print(prediction: WhatIfReport, options: WhatIfCommandOptions, terminal: Terminal): void {
  if (options.json === true) terminal.out(`${JSON.stringify(prediction, null, 2)}\n`);
  else terminal.out(`${renderWhatIf(prediction, lookOf(options, terminal)).join("\n")}\n`);
}
