import { fitUsl } from "../../analysis/usl.ts";
import { EXIT } from "../exit-code.ts";
import { parseMeasuredLoads } from "../measured-loads.ts";
import { nameOf, readText } from "../read-text.ts";
import { renderUsl } from "../render/usl.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";

export interface UslCommandOptions extends LookOptions {
  readonly json?: boolean;
}

/** `longpole usl`: measured loads and throughputs in CSV → the Universal Scalability Law through them. */
export async function fitScalability(file: string, options: UslCommandOptions, terminal: Terminal): Promise<number> {
  const { load, throughput } = parseMeasuredLoads(await readText(file), nameOf(file));
  const fit = fitUsl(load, throughput);
  if (options.json === true) terminal.out(`${JSON.stringify(document(fit), null, 2)}\n`);
  else terminal.out(`${renderUsl(fit, { load, throughput }, lookOf(options, terminal)).join("\n")}\n`);
  return fit.status === "insufficient-data" ? EXIT.insufficientData : EXIT.ok;
}

/** Every field of the contract is there, whatever the status. */
function document(fit: ReturnType<typeof fitUsl>): object {
  if (fit.status !== "insufficient-data") return fit;
  const nothing = { alpha: null, beta: null, gamma: null, peakLoad: null, peakThroughput: null, limit: null };
  return { ...fit, ...nothing, intervals: null };
}
