import { changePoints } from "../../analysis/change-points.ts";
import { EXIT } from "../exit-code.ts";
import { nameOf, readText } from "../read-text.ts";
import { renderChangePoints } from "../render/change-points.ts";
import { plural } from "../render/numbers.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";
import { parseTimeSeries } from "../time-series.ts";

export interface ChangepointsOptions extends LookOptions {
  readonly p: number;
  readonly json?: boolean;
}

/** A shorter series cannot show a change: nothing on one side of it could be told from noise. */
const FEWEST_VALUES = 6;

/** `longpole changepoints`: a series in CSV → where its level changed. */
export async function changepoints(file: string, options: ChangepointsOptions, terminal: Terminal): Promise<number> {
  const { time, value } = parseTimeSeries(await readText(file), nameOf(file));
  const found = changePoints(value, { pValue: options.p }).map((point) => ({
    index: point.index,
    time: time[point.index]!,
    before: point.before,
    after: point.after,
    pValue: point.pValue,
  }));
  if (options.json === true) terminal.out(`${JSON.stringify({ changePoints: found }, null, 2)}\n`);
  else terminal.out(`${renderChangePoints(found, value, lookOf(options, terminal)).join("\n")}\n`);
  if (value.length < FEWEST_VALUES) {
    terminal.err(`longpole: ${plural(value.length, "value")}: too few to tell, ${FEWEST_VALUES} at least are needed\n`);
  }
  return value.length < FEWEST_VALUES ? EXIT.insufficientData : EXIT.ok;
}
