import { CommanderError } from "commander";
import { ChangeError } from "../engine/change-error.ts";
import { InputError } from "../model/intake.ts";
import { EXIT } from "./exit-code.ts";
import { longpole } from "./program.ts";
import { safeText } from "./render/safe-text.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Runs one command line (without node and script) to its end and returns the exit code.
 * Never throws: wrong usage and unreadable input are one line on stderr, and a defect
 * of Longpole is called one, with its stack only where LONGPOLE_DEBUG=1 asks for it.
 */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  let code: number = EXIT.ok;
  const program = longpole(terminal, (result) => (code = result));
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    return explain(error, terminal);
  }
}

function explain(error: unknown, terminal: Terminal): number {
  // --help and --version end by such an error too, with code 0; commander has printed what there is to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.unusable;
  if (error instanceof InputError || error instanceof ChangeError) {
    terminal.err(`longpole: ${safeText(error.message)}\n`);
    return EXIT.unusable;
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  terminal.err(`longpole: this is a defect of Longpole, please report it: ${safeText(text)}\n`);
  if (terminal.environment["LONGPOLE_DEBUG"] === "1" && error instanceof Error) terminal.err(`${error.stack ?? ""}\n`);
  else terminal.err("longpole: LONGPOLE_DEBUG=1 shows where\n");
  return EXIT.unusable;
}
