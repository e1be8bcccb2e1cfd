import { InputError } from "../model/intake.ts";
import { csvRows, numberIn, rowError } from "./csv-rows.ts";

export interface MeasuredLoads {
  readonly load: Float64Array;
  readonly throughput: Float64Array;
}

/**
 * Reads `load,throughput` rows (separated by comma, semicolon or tab), with or without a header row; a third column and
 * what follows are ignored. Loads are above zero, throughputs not below it. Throws InputError with the byte and line
 * of the row that is not one.
 */
export function parseMeasuredLoads(text: string, file: string): MeasuredLoads {
  const loads: number[] = [];
  const throughputs: number[] = [];
  let rows = 0;
  for (const row of csvRows(text)) {
    const load = numberIn(row.cells[0]);
    const throughput = numberIn(row.cells[1]);
    const isHeader = rows === 0 && row.cells.length >= 2 && Number.isNaN(load) && Number.isNaN(throughput);
    if (load > 0 && throughput >= 0 && Number.isFinite(load) && Number.isFinite(throughput)) {
      loads.push(load);
      throughputs.push(throughput);
    } else if (!isHeader)
      throw rowError(file, row, "a row load,throughput with a load above 0 and a throughput of 0 or more");
    rows++;
  }
  if (loads.length === 0)
    throw new InputError("empty", { file, byteOffset: 0, expected: "rows load,throughput", found: "none" });
  return { load: Float64Array.from(loads), throughput: Float64Array.from(throughputs) };
}
