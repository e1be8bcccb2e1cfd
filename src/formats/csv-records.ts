/** A record of a CSV text. */
export interface CsvRecord {
  readonly fields: readonly string[];
  /** of its beginning, from 1: a quoted field may hold line breaks */
  readonly line: number;
  /** character of the text at which it begins */
  readonly at: number;
}

/** A quote that never ends, or that something other than a comma follows. */
export class CsvError extends Error {
  readonly line: number;
  readonly at: number;

  constructor(message: string, line: number, at: number) {
    super(message);
    this.line = line;
    this.at = at;
  }
}

/** Records of a text as RFC 4180 has it, empty lines left out. Throws CsvError; the records before it were given. */
export function* csvRecords(text: string): Generator<CsvRecord> {
  let line = 1;
  for (let at = 0; at < text.length;) {
    const start = { line, at };
    const fields: string[] = [];
    for (;;) {
      let field: string;
      if (text[at] === '"') {
        const end = quoteEnd(text, at);
        if (end < 0) throw new CsvError("a quoted field that does not end", start.line, at);
        const raw = text.slice(at + 1, end);
        field = raw.replaceAll('""', '"');
        line += raw.split("\n").length - 1;
        at = end + 1;
        if (at < text.length && !/[,\r\n]/.test(text[at]!))
          throw new CsvError(`${JSON.stringify(text.slice(at, at + 10))} behind a quoted field`, line, at);
      } else {
        const from = at;
        while (at < text.length && text[at] !== "," && text[at] !== "\n" && text[at] !== "\r") at++;
        field = text.slice(from, at);
      }
      fields.push(field);
      if (text[at] !== ",") break;
      at++;
    }
    if (text[at] === "\r") at++;
    if (text[at] === "\n") at++;
    line++;
    if (fields.length > 1 || fields[0] !== "") yield { fields, ...start };
  }
}

/** Position of the quote that ends the field that begins with one at `at`; -1 where none does. */
function quoteEnd(text: string, at: number): number {
  for (let end = text.indexOf('"', at + 1); end >= 0; end = text.indexOf('"', end + 2))
    if (text[end + 1] !== '"') return end;
  return -1;
}
