import { InputError } from "../model/intake.ts";

/** A series as it stood in a file; `time` is text, since only its order matters. */
export interface TimeSeries {
  readonly time: readonly string[];
  readonly value: Float64Array;
}

/**
 * Reads `time,value` rows (separated by comma, semicolon or tab), with or without a header
 * row. Empty lines and lines that begin with # are skipped; a third column and what
 * follows are ignored. Throws InputError with the byte of the row that is not one.
 */
export function parseTimeSeries(text: string, file: string): TimeSeries {
  const time: string[] = [];
  const value: number[] = [];
  let byteOffset = 0;
  let rows = 0;
  for (const line of text.replace(/^\ufeff/, "").split("\n")) {
    const row = line.trim();
    if (row !== "" && !row.startsWith("#")) {
      const [at, raw] = row.split(/[,;\t]/).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
      const number = raw === undefined || raw === "" ? Number.NaN : Number(raw);
      if (Number.isFinite(number)) {
        time.push(at!);
        value.push(number);
      } else if (rows > 0 || raw === undefined) {
        const found = row.length > 40 ? `"${row.slice(0, 40)}..."` : `"${row}"`;
        throw new InputError("malformed", { file, byteOffset, expected: "a row time,value with a number", found });
      }
      rows++;
    }
    byteOffset += new TextEncoder().encode(line).length + 1;
  }
  if (value.length === 0)
    throw new InputError("empty", { file, byteOffset: 0, expected: "rows time,value", found: "none" });
  return { time, value: Float64Array.from(value) };
}
