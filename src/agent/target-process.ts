import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants, readFileSync, readlinkSync, statSync } from "node:fs";
import { basename, join } from "node:path";

/** Why something cannot be recorded, in a sentence for the user. */
export class RecordError extends Error {
  override readonly name: string = "RecordError";
}

/** A process to record. */
export interface TargetProcess {
  readonly pid: number;
  /** as a person would type it */
  readonly command: string;
  /** of the program, without its folder */
  readonly name: string;
  /** clock ticks after boot: with the number it tells this process from a later one */
  readonly startTicks: number;
  /** "R", "S", "D", "T", ... of proc(5) */
  readonly state: string;
  /** of one that was started for the recording: lets its program begin */
  readonly begin?: () => void;
  /** of such a one: resolves when it has ended */
  readonly ended?: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** of such a one: ends it, by force if need be */
  readonly stop?: () => Promise<void>;
}

/** A process that runs already. Throws a RecordError where there is none, or none to look at. */
export function runningProcess(pid: number): TargetProcess {
  const found = readProcess(pid);
  if (found === undefined) throw new RecordError(`there is no process ${pid}`);
  if (found.state === "Z" || found.state === "X")
    throw new RecordError(`process ${pid} (${found.name}) has ended already`);
  return found;
}

/** Undefined where there is no such process (any more). */
export function readProcess(pid: number): TargetProcess | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const comm = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
  const words = commandLine(pid);
  return {
    pid,
    command: words.length === 0 ? comm : words.join(" "),
    name: words.length === 0 ? comm : programName(pid, words, comm),
    startTicks: Number(fields[19]),
    state: fields[0]!,
  };
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8")
      .split("\0")
      .filter((word) => word !== "");
  } catch {
    return [];
  }
}

/** Of an interpreter the script is what people call the program: `node server.js` is server.js. */
function programName(pid: number, words: readonly string[], comm: string): string {
  let program = comm;
  try {
    program = basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, "");
  } catch {
    // Of another user's process: the short name has to do.
  }
  if (!/^(?:node|nodejs|python[\d.]*|ruby|perl|bash|sh|dash|deno|bun)$/.test(program)) return program;
  // Not what an option such as --import takes: modules that are loaded before.
  const script = words.find(
    (word, i) => i > 0 && !word.startsWith("-") && /[./]/.test(word) && !TAKES_A_MODULE.test(words[i - 1]!),
  );
  return script === undefined ? program : basename(script);
}

const TAKES_A_MODULE = /^(?:--import|--require|-r|--loader|--experimental-loader|--env-file|-C|-W|-X|-m)$/;

/** Time that an ended process is given to obey. */
const OBEY_MS = 3000;

/**
 * Starts a command that waits before its program begins, so that nothing of it goes unseen. Its standard output goes to
 * standard error: standard output is the report's. Throws a RecordError where it cannot be started.
 */
export async function startCommand(words: readonly string[]): Promise<TargetProcess> {
  if (!isProgram(words[0]!)) throw new RecordError(`cannot start ${words[0]}: no such program`);
  // A shell that waits for a line on descriptor 3 and then becomes the command: the number stays the same.
  const wait = 'IFS= read -r go <&3 || exit 125; exec 3<&-; exec "$@"';
  const child = spawn("/bin/sh", ["-c", wait, "longpole-record", ...words], { stdio: ["inherit", 2, 2, "pipe"] });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once("exit", (code, signal) => resolve({ code, signal })),
  );
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => reject(new RecordError(`cannot start ${words[0]}: ${error.message}`)));
  });
  const found = readProcess(child.pid!);
  const gate = child.stdio[3] as NodeJS.WritableStream;
  gate.on("error", () => {});
  return {
    pid: child.pid!,
    command: words.join(" "),
    name: basename(words[0]!),
    startTicks: found?.startTicks ?? -1,
    state: found?.state ?? "S",
    begin: () => void gate.end("go\n"),
    ended,
    stop: () => stopChild(child, ended),
  };
}

/** As the shell looks for it, before it is started: a shell that finds nothing ends like a program that did nothing. */
function isProgram(name: string): boolean {
  const places = name.includes("/")
    ? [name]
    : (process.env["PATH"] ?? "").split(":").map((folder) => join(folder, name));
  return places.some((path) => {
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}

async function stopChild(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), OBEY_MS);
  await ended;
  clearTimeout(timer);
}
