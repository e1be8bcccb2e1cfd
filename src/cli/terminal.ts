import { basename, isAbsolute, relative } from "node:path";
import type { Look } from "./render/pen.ts";

/** What a command may do to the outside besides reading files; tests have one of their own. */
export interface Terminal {
  /** What to type before a command's name to run this Longpole again: "longpole", "npx longpole", "node dist/cli/main.js". */
  readonly command: string;
  /** Data, for a person or the next program. */
  out(data: string | Uint8Array): void;
  /** Progress, warnings and errors. */
  err(text: string): void;
  readonly outIsTty: boolean;
  readonly errIsTty: boolean;
  /** columns of stdout; 0 when it is no terminal */
  readonly columns: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Calls back at the first Ctrl-C (or SIGTERM, SIGHUP); the second ends the process. Returns how to stop listening. */
  onInterrupt(callback: () => void): () => void;
  /** From now on a closed standard output ends nothing: for what goes on for days, whoever read its first line. */
  keepWithoutReader(): void;
}

/**
 * The terminal of this process. A closed pipe (`longpole ... | head`) ends it quietly; an output
 * that cannot be written, on a full disk for example, ends it with 2.
 */
export function processTerminal(): Terminal {
  let isKept = false;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (isKept) return;
    // What was asked for has been read; 0 as with other filters.
    if (error.code === "EPIPE") process.exit(0);
    process.stderr.write(`longpole: cannot write to standard output: ${error.message}\n`);
    process.exit(UNWRITABLE);
  });
  // Nobody hears the progress any more; the answer and the exit code are still awaited.
  process.stderr.on("error", () => {});
  return {
    command: commandWord(process.argv[1] ?? "longpole", process.env, process.cwd()),
    out: (data) => void process.stdout.write(data),
    err: (text) => void process.stderr.write(text),
    outIsTty: process.stdout.isTTY === true,
    errIsTty: process.stderr.isTTY === true,
    columns: process.stdout.columns ?? 0,
    environment: process.env,
    onInterrupt,
    keepWithoutReader: () => void (isKept = true),
  };
}

/**
 * How this process was started, so that a command which is printed can be pasted.
 * script: what Node runs, as an absolute path; npm tells by `npm_command` that npx did it.
 */
export function commandWord(script: string, environment: Terminal["environment"], folder: string): string {
  if (environment["npm_command"] === "exec") return "npx longpole";
  if (/^longpole(?:\.cmd)?$/.test(basename(script))) return "longpole";
  const near = relative(folder, script);
  const path = near === "" || near.startsWith("..") || isAbsolute(near) ? script : near;
  return `node ${/[^\w./\\:-]/.test(path) ? JSON.stringify(path) : path}`;
}

/** As for input that cannot be read: 1 would say that there are findings. */
const UNWRITABLE = 2;

/** 128 + the number of SIGINT, as a shell reports it. */
const INTERRUPTED = 130;

/** What ends a process from outside: the keyboard, a supervisor, a terminal that is closed. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function onInterrupt(callback: () => void): () => void {
  let before = 0;
  const listener = (): void => {
    if (before++ > 0) process.exit(INTERRUPTED);
    callback();
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return () => {
    for (const signal of SIGNALS) process.off(signal, listener);
  };
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
