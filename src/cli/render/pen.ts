import { TIME_KINDS, type TimeKind } from "../../model/time-kind.ts";
import type { Severity } from "../../model/report.ts";

/** How a terminal wants its output. */
export interface Look {
  /** columns */
  readonly width: number;
  readonly colour: boolean;
  /** only ASCII characters, for terminals and locales without UTF-8 */
  readonly ascii: boolean;
}

/**
 * Paints by meaning, never by taste, and one meaning has one hue: a hue per time kind,
 * an orange ramp for what matters, grey for what is said besides, blue and orange for
 * better and worse, red for errors and what is over a limit.
 */
export interface Pen {
  readonly look: Look;
  strong(text: string): string;
  faint(text: string): string;
  kind(timeKind: string, text: string): string;
  severity(severity: Severity, text: string): string;
  better(text: string): string;
  worse(text: string): string;
  error(text: string): string;
  /** something to copy into a shell or an editor */
  code(text: string): string;
}

export function penFor(look: Look): Pen {
  const paint = look.colour ? (sgr: string, text: string) => (text === "" ? "" : `\x1b[${sgr}m${text}\x1b[0m`) : plain;
  return {
    look,
    strong: (text) => paint("1", text),
    faint: (text) => paint("38;5;245", text),
    kind: (timeKind, text) => paint(KIND_HUES[isTimeKind(timeKind) ? timeKind : "unexplained"], text),
    severity: (severity, text) => paint(SEVERITY_HUES[severity], text),
    better: (text) => paint("38;5;75", text),
    worse: (text) => paint("38;5;208", text),
    error: (text) => paint("38;5;203", text),
    code: (text) => paint("38;5;110", text),
  };
}

const plain = (_: string, text: string): string => text;

const isTimeKind = (name: string): name is TimeKind => (TIME_KINDS as readonly string[]).includes(name);

/**
 * Kinds of one family share a hue, as on the screen: waiting purple, remote work teal,
 * network blue, locks pink, processor gold, runtime grey. From the palette of 256, which
 * every terminal of today has, in the middle of the lightness so that it reads on both grounds.
 */
const KIND_HUES: Readonly<Record<TimeKind, string>> = {
  "pool-wait": "38;5;141",
  queue: "38;5;135",
  lock: "38;5;169",
  callee: "38;5;37",
  transit: "38;5;74",
  network: "38;5;75",
  disk: "38;5;73",
  cpu: "38;5;178",
  runnable: "38;5;136",
  gc: "38;5;103",
  "event-loop": "38;5;144",
  sleep: "38;5;146",
  unexplained: "38;5;242",
};

const SEVERITY_HUES: Readonly<Record<Severity, string>> = {
  critical: "1;38;5;202",
  warning: "38;5;208",
  note: "38;5;245",
};

/** What `line` becomes where only ASCII can be shown; every character keeps its width. */
export function toAscii(line: string): string {
  return line.replace(/[^\x00-\x7f]/gu, (character) => ASCII[character] ?? (isWide(character) ? "??" : "?"));
}

const isWide = (character: string): boolean => character.codePointAt(0)! >= 0x1100;

const ASCII: Readonly<Record<string, string>> = {
  "→": ">",
  "›": ">",
  "–": "-",
  "−": "-",
  "·": "-",
  "…": "~",
  µ: "u",
  "×": "x",
  "─": "-",
  "└": "`",
  "│": "|",
  "█": "#",
  "▓": "=",
  "▒": "+",
  "░": ".",
  "▉": "#",
  "▊": "#",
  "▋": "#",
  "▌": "=",
  "▍": "=",
  "▎": "-",
  "▏": "-",
  "▁": "_",
  "▂": "_",
  "▃": ".",
  "▄": "-",
  "▅": "-",
  "▆": "=",
  "▇": "#",
  "■": "#",
  "◆": "*",
  "▲": "^",
  "▼": "v",
  "✓": "+",
  "“": '"',
  "”": '"',
  "’": "'",
  "≥": ">",
  "≤": "<",
  "±": "~",
};
