import { whatIf } from "../../engine/what-if.ts";
import { EXIT } from "../exit-code.ts";
import { count } from "../render/numbers.ts";
import { renderWhatIf } from "../render/what-if.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";
import { withInputs } from "../with-inputs.ts";

export interface WhatIfCommandOptions extends LookOptions {
  readonly change: readonly string[];
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `longpole what-if`: recordings and changes → the percentiles to expect with all changes together. */
export function predictChanges(
  files: readonly string[],
  options: WhatIfCommandOptions,
  terminal: Terminal,
): Promise<number> {
  return withInputs(options.quiet === true, terminal, async ({ read, progress, signal }) => {
    const { spans, metrics, intake } = await read(files);
    const tell = (stage: string, at: number, total: number): void =>
      progress.report(`${stage} (${count(at)} of ${count(total)})`);
    const prediction = await whatIf(spans, options.change, { metrics }, { signal, progress: tell });
    progress.clear();
    if (options.json === true) terminal.out(`${JSON.stringify(prediction, null, 2)}\n`);
    else terminal.out(`${renderWhatIf(prediction, lookOf(options, terminal)).join("\n")}\n`);
    if (intake.errors.length > 0) return EXIT.unusable;
    return prediction.endpoints.length === 0 ? EXIT.insufficientData : EXIT.ok;
  });
}
