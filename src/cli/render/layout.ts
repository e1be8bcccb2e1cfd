import stringWidth from "string-width";

/** Columns that `text` takes in a terminal; colours count nothing, wide characters two. */
export const columns = (text: string): number => (ASCII.test(text) ? text.length : stringWidth(text));

const ASCII = /^[ -~]*$/;

export const padEnd = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - columns(text)));

export const padStart = (text: string, width: number): string => " ".repeat(Math.max(0, width - columns(text))) + text;

/** `text` cut to `width` columns with an ellipsis; its beginning is what tells it apart. Plain text only. */
export function clip(text: string, width: number): string {
  if (text.length <= width && columns(text) <= width) return text;
  return `${take(text, width - 1)}…`;
}

/** `text` cut in its middle, for names whose end tells as much as their beginning. Plain text only. */
export function clipMiddle(text: string, width: number): string {
  if (text.length <= width && columns(text) <= width) return text;
  const head = take(text, Math.ceil((width - 1) / 2));
  return `${head}…${takeEnd(text, width - 1 - columns(head))}`;
}

/** The longest beginning of whole characters within `width` columns. */
function take(text: string, width: number): string {
  let taken = "";
  let used = 0;
  for (const { segment } of characters.segment(text)) {
    used += columns(segment);
    if (used > width) break;
    taken += segment;
  }
  return taken;
}

/** The longest end of whole characters within `width` columns; no more is looked at than can fit. */
function takeEnd(text: string, width: number): string {
  let taken = "";
  let used = 0;
  // A character takes a column at least, and few units; a longer tail cannot be needed.
  const tail = text.slice(-16 * width);
  for (const { segment } of [...characters.segment(tail)].reverse()) {
    used += columns(segment);
    if (used > width) break;
    taken = segment + taken;
  }
  return taken;
}

/** What a reader sees as one character, so that no emoji is cut in two. */
const characters = new Intl.Segmenter("en", { granularity: "grapheme" });

/**
 * `text` broken at spaces into lines of at most `width` columns, but never between a
 * number and its unit; a word that is longer than a line is broken anywhere. More than
 * `maxLines` lines end with how much was left out. Plain text only.
 */
export function wrap(text: string, width: number, maxLines: number = Infinity): string[] {
  const lines: string[] = [];
  let line = "";
  const words = text.split(BREAK);
  while (words.length > 0) {
    const word = words.shift()!;
    const joined = line === "" ? word : `${line} ${word}`;
    if (columns(joined) <= width) {
      line = joined;
    } else if (line === "") {
      const head = take(word, width);
      // A single character wider than the line stands alone rather than never.
      const cut = head === "" ? 1 : head.length;
      lines.push(word.slice(0, cut));
      if (cut < word.length) words.unshift(word.slice(cut));
    } else {
      lines.push(line);
      line = "";
      words.unshift(word);
    }
    if (lines.length >= maxLines) return withRest(lines.slice(0, maxLines), text, width);
  }
  if (line !== "") lines.push(line);
  return lines;
}

/** A space that is not between a number and its unit, nor between a range or arrow of numbers. */
const BREAK = /(?<!\d) | (?!(?:ns|µs|ms|s|min|h|%|×|\/s|[kMG]?i?B)(?![\p{L}\d])|[→±] ?\d)/u;

/** `lines`, which begin `text`, with the last one cut to make room for how many characters are not shown. */
function withRest(lines: string[], text: string, width: number): string[] {
  if (lines.join(" ").length >= text.length) return lines;
  const remark = (left: number): string => ` … +${left.toLocaleString("en")} chars`;
  const last = take(lines.at(-1)!, Math.max(0, width - remark(text.length).length)).trimEnd();
  const shown = [...lines.slice(0, -1), last];
  return [...shown.slice(0, -1), last + remark(text.length - shown.join(" ").length)];
}
