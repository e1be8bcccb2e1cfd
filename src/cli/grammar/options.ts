import { type Command, Option } from "commander";
import type { Terminal } from "../terminal.ts";
import { lastOf, width } from "./quantities.ts";

/** Adds one command; `done` gets its exit code when it ran to its end. */
export type AddCommand = (program: Command, terminal: Terminal, done: (exitCode: number) => void) => void;

/** The options that every command has. */
export function common(command: Command, json = "one JSON document on standard output"): Command {
  return command
    .option("--json", json)
    .option("--no-color", "no colours (also: NO_COLOR)")
    .option("--ascii", "only ASCII characters")
    .addOption(new Option("--width <columns>", "width of the output").argParser(width).env("LONGPOLE_WIDTH"))
    .option("-q, --quiet", "no progress and no remarks on standard error");
}

/** The options of commands that ask a running server. */
export function live(command: Command): Command {
  return window(command).addOption(
    new Option("--url <url>", "the server's API").default("http://127.0.0.1:7077").env("LONGPOLE_URL"),
  );
}

/** Which time of what a server received. */
export function window(command: Command): Command {
  return command
    .option("--token-file <file>", "the server's token; or LONGPOLE_TOKEN")
    .option("--last <duration>", "the time up to now, as 90s, 15m, 12h or 7d (default: 15m)", lastOf)
    .option("--from <time>", "instead of --last: start, as 2026-01-31T12:00:00Z")
    .option("--to <time>", "end, written like --from (default: now)");
}

/** Examples call Longpole by a name of its own; here it has the one by which this process was started. */
export const pasteable = (text: string, { command }: Terminal): string =>
  text.replace(/(?<=^ {2}|\| |Try: )longpole(?= )/gm, command);
