import { Command } from "commander";
import { packageJson } from "./package-json.ts";
import { safeText } from "./render/safe-text.ts";
import { EXIT_CODES } from "./grammar/examples.ts";
import { FILE_COMMANDS } from "./grammar/file-commands.ts";
import { HOST_COMMANDS } from "./grammar/host-commands.ts";
import { LIVE_COMMANDS } from "./grammar/live-commands.ts";
import { pasteable } from "./grammar/options.ts";
import type { Terminal } from "./terminal.ts";

/** The grammar of the command line. `done` gets the exit code of a command that ran to its end. */
export function longpole(terminal: Terminal, done: (exitCode: number) => void): Command {
  const program = new Command("longpole")
    .description("Reads recorded traces of a slow system and says what to fix first, and what p99 that would bring.")
    .version(packageJson().version, "-V, --version")
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.err,
      outputError: (text, write) => write(asOurs(text)),
    })
    .exitOverride()
    .showSuggestionAfterError(true)
    .addHelpText("after", pasteable(EXIT_CODES, terminal));
  for (const add of [...FILE_COMMANDS, ...LIVE_COMMANDS, ...HOST_COMMANDS]) add(program, terminal, done);
  return program;
}

/** Commander's message, which quotes what was typed (perhaps by a script that took it from elsewhere), safe line by line. */
const asOurs = (text: string): string =>
  text
    .replace(/^error: /, "longpole: ")
    .split("\n")
    .map((line) => safeText(line))
    .join("\n");
