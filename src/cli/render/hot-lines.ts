import type { HotLines } from "../../model/flame-report.ts";
import { heading } from "./frame.ts";
import { clip, padStart, wrap } from "./layout.ts";
import { percent, plural } from "./numbers.ts";
import type { Pen } from "./pen.ts";
import { safeText } from "./safe-text.ts";

/** "  12 %    31 │ " */
const GUTTER = 17;

/** The code around the hottest lines, each with its share of the function's own samples. */
export function hotLineRows(hot: readonly HotLines[], pen: Pen): string[] {
  if (hot.length === 0) return [];
  const rows = ["", heading("Hottest lines", "share of each function's own samples", pen)];
  for (const { function: name, file, samples, share, lines, remark } of hot) {
    const title = `${safeText(name)} (${safeText(file)}): ${percent(share)} of what the program's own code takes, ${plural(samples, "sample")}`;
    rows.push(...wrap(title, pen.look.width, 2));
    if (remark !== "") rows.push(...wrap(safeText(remark), pen.look.width, 2).map((line) => pen.faint(line)));
    for (const line of lines) {
      const part = line.share > 0 ? percent(line.share) : "";
      const code = codeOf(line.text ?? "");
      const row = `${padStart(part, 7)} ${padStart(String(line.line), 6)} │ ${clip(code, Math.max(20, pen.look.width - GUTTER))}`;
      rows.push(line.share > 0 ? row : pen.faint(row));
    }
  }
  return rows;
}

/** The line with its indentation, which says to what it belongs. */
function codeOf(text: string): string {
  const code = text.trimStart();
  const indent = text.slice(0, text.length - code.length).replaceAll("\t", "  ");
  return " ".repeat(indent.length) + safeText(code.trimEnd());
}
