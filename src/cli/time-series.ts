import { InputError } from "../model/intake.ts";
import { csvRows, numberIn, rowError } from "./csv-rows.ts";

/** A series as it stood in a file; `time` is text, since only its order matters. */
export interface TimeSeries {
  readonly time: readonly string[];
  readonly value: Float64Array;
}

/**
 * Reads `time,value` rows (separated by comma, semicolon or tab), with or without a header
 * row. Empty lines and lines that begin with # are skipped; a third column and what
 * follows are ignored. Throws InputError with the byte and line of the row that is not one.
 */
export function parseTimeSeries(text: string, file: string): TimeSeries {
  const time: string[] = [];
  const value: number[] = [];
  let rows = 0;
  for (const row of csvRows(text)) {
    const [at, raw] = row.cells;
    const number = numberIn(raw);
    if (Number.isFinite(number)) {
      time.push(at!);
      value.push(number);
    } else if (rows > 0 || raw === undefined) throw rowError(file, row, "a row time,value with a number");
    rows++;
  }
  if (value.length === 0)
    throw new InputError("empty", { file, byteOffset: 0, expected: "rows time,value", found: "none" });
  return { time, value: Float64Array.from(value) };
}
