import { InputError } from "../model/intake.ts";

/** A row of a text file that is neither empty nor a comment. */
export interface CsvRow {
  readonly cells: readonly string[];
  /** from 1 */
  readonly line: number;
  readonly byteOffset: number;
  readonly text: string;
}

/** Rows separated by comma, semicolon or tab; empty lines and lines that begin with # are left out, quotes around a cell as well. */
export function* csvRows(text: string): Generator<CsvRow> {
  let byteOffset = 0;
  for (const [i, line] of text
    .replace(/^\ufeff/, "")
    .split("\n")
    .entries()) {
    const row = line.trim();
    if (row !== "" && !row.startsWith("#")) {
      const cells = row.split(/[,;\t]/).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
      yield { cells, line: i + 1, byteOffset, text: row };
    }
    byteOffset += new TextEncoder().encode(line).length + 1;
  }
}

/** NaN where a cell is missing or empty. */
export const numberIn = (cell: string | undefined): number =>
  cell === undefined || cell === "" ? Number.NaN : Number(cell);

export function rowError(file: string, row: CsvRow, expected: string): InputError {
  const quoted = row.text.length > 40 ? `"${row.text.slice(0, 40)}..."` : `"${row.text}"`;
  const found = `${quoted} in line ${row.line}`;
  return new InputError("malformed", { file, byteOffset: row.byteOffset, expected, found });
}
