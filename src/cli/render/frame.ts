import { columns } from "./layout.ts";
import { toAscii, type Look, type Pen } from "./pen.ts";

/** What the report was made from, as the user named it on the command line. */
export interface Sources {
  readonly files: readonly string[];
  /** arguments that name the same data to a command, where that is not `files` */
  readonly arguments?: readonly string[];
  readonly baseline: readonly string[];
  /** what runs Longpole, for commands to paste */
  readonly command: string;
  /** what --endpoint asked for */
  readonly endpoint?: string;
}

/** A title, a remark in grey, and a rule to the right edge. */
export function heading(title: string, remark: string, pen: Pen): string {
  const room = pen.look.width - columns(title) - columns(remark) - 4;
  if (room < 0) return pen.strong(title);
  return `${pen.strong(title)}  ${pen.faint(`${remark}${remark === "" ? "" : " "}${"─".repeat(Math.max(0, room + (remark === "" ? 2 : 1)))}`)}`;
}

/** Lines without trailing spaces, in ASCII where asked for. */
export function finish(lines: readonly string[], look: Look): string[] {
  const trimmed = lines.map((line) => line.trimEnd());
  return look.ascii ? trimmed.map(toAscii) : trimmed;
}
