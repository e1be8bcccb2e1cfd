import type { Look } from "./render/pen.ts";

/** What a command may do to the outside besides reading files; tests have one of their own. */
export interface Terminal {
  /** Data, for a person or the next program. False when nobody reads any more. */
  out(text: string): void;
  /** Progress, warnings and errors. */
  err(text: string): void;
  readonly outIsTty: boolean;
  readonly errIsTty: boolean;
  /** columns of stdout; 0 when it is no terminal */
  readonly columns: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Calls back at the first Ctrl-C; the second ends the process. Returns how to stop listening. */
  onInterrupt(callback: () => void): () => void;
}

/** The terminal of this process. A closed pipe (`longpole ... | head`) ends it quietly. */
export function processTerminal(): Terminal {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      // What was asked for has been read; 0 as with other filters.
      process.exit(0);
    });
  }
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    outIsTty: process.stdout.isTTY === true,
    errIsTty: process.stderr.isTTY === true,
    columns: process.stdout.columns ?? 0,
    environment: process.env,
    onInterrupt,
  };
}

/** 128 + the number of SIGINT, as a shell reports it. */
const INTERRUPTED = 130;

function onInterrupt(callback: () => void): () => void {
  let before = 0;
  const listener = (): void => {
    if (before++ > 0) process.exit(INTERRUPTED);
    callback();
  };
  process.on("SIGINT", listener);
  return () => process.off("SIGINT", listener);
}

export interface LookOptions {
  /** false for --no-color */
  readonly color: boolean;
  readonly width?: number;
  readonly ascii?: boolean;
}

/** Width when nothing tells it: a report that is piped into a file or a ticket. */
const DEFAULT_WIDTH = 100;
/** Longer lines are hard to read, however wide the screen. */
const MAX_WIDTH = 140;

/**
 * Flags over environment over what the terminal says. No colour where output is piped or
 * NO_COLOR is set (no-color.org), but FORCE_COLOR overrules the pipe.
 */
export function lookOf(options: LookOptions, terminal: Terminal): Look {
  const { environment: env } = terminal;
  const forced = env["FORCE_COLOR"] !== undefined && env["FORCE_COLOR"] !== "0";
  const refused = !options.color || (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb";
  const columns = terminal.columns > 0 ? terminal.columns : DEFAULT_WIDTH;
  return {
    width: options.width ?? Math.min(columns, MAX_WIDTH),
    colour: !refused && (terminal.outIsTty || forced),
    ascii: options.ascii ?? !isUtf8(env),
  };
}

/** The first of these that is set decides; without any, a terminal of today is taken to be UTF-8. */
function isUtf8(env: Terminal["environment"]): boolean {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return locale === "" || /utf-?8/i.test(locale);
}
