import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { LabError } from "../lab-error.ts";
import type { Numbered, Reply, Request } from "./messages.ts";

export interface Launch {
  readonly name: string;
  /** module below this folder, without its ending: "services/zones" */
  readonly module: string;
  readonly logFile: string;
  readonly env: Readonly<Record<string, string>>;
  /** options of Node */
  readonly execArgv: readonly string[];
  /** command that the process is started by, which has to `exec` it */
  readonly prefix: readonly string[];
  /** the kernel kills it with its parent; else it sees for itself that its parent is gone */
  readonly diesWithParent: boolean;
}

const ANSWER_PATIENCE_MS = 20_000;

/** A Node process of the system: it hears requests over IPC, and its output goes to its log. */
export class Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** resolves at its end, with how it ended in words */
  readonly ended: Promise<string>;
  /** resolves where it tells of trouble, with what it says */
  readonly trouble: Promise<string>;
  /** resolves with the URL it listens at; rejects where it ends before */
  readonly listening: Promise<string>;
  readonly #process: ChildProcess;
  readonly #open = new Map<number, { resolve: (reply: Reply) => void; reject: (error: Error) => void }>();
  #hasEnded = false;
  #endedInOrder = false;
  #number = 0;

  private constructor(launch: Launch, process: ChildProcess, pid: number) {
    this.name = launch.name;
    this.logFile = launch.logFile;
    this.pid = pid;
    this.#process = process;
    this.ended = new Promise((resolve) => {
      process.once("exit", (code, signal) => {
        this.#hasEnded = true;
        this.#endedInOrder = code === 0;
        const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
        for (const { reject } of this.#open.values()) reject(this.death(how));
        this.#open.clear();
        resolve(how);
      });
    });
    this.trouble = new Promise((resolve) => {
      process.on("message", (reply: Reply) => {
        if (reply.kind === "trouble") resolve(reply.message);
      });
    });
    this.listening = new Promise((resolve, reject) => {
      process.on("message", (reply: Reply) => {
        if (reply.kind === "listening") resolve(reply.url);
        else if (reply.kind !== "trouble") this.#settle(reply);
      });
      void this.ended.then((how) => reject(this.death(how)));
    });
    // Not every process listens, and who waits for it hears of its end all the same.
    this.listening.catch(() => {});
    // A message to a process that has just died; its end is told by "exit".
    process.on("error", () => {});
  }

  /** Throws a LabError where the process cannot be started. */
  static async start(launch: Launch): Promise<Child> {
    const argv = [
      ...launch.prefix,
      ...(launch.diesWithParent ? withParent("KILL") : []),
      process.execPath,
      ...launch.execArgv,
      moduleFile(launch.module),
    ];
    const log = openLog(launch.logFile);
    try {
      // A process group of its own: Ctrl-C reaches the parent only, which stops all in their order.
      const child = spawn(argv[0] ?? "", argv.slice(1), {
        env: { ...inheritedEnvironment(), ...launch.env },
        stdio: ["ignore", log, log, "ipc"],
        detached: true,
      });
      await new Promise<void>((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", (error) => {
          reject(new LabError("spawn-failed", `${launch.name} could not be started: ${error.message}`));
        });
      });
      return new Child(launch, child, child.pid ?? 0);
    } finally {
      closeSync(log);
    }
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** By itself, after what it had to do at its end. */
  get endedInOrder(): boolean {
    return this.#endedInOrder;
  }

  /** Rejects with a LabError where the process ends before it answers, cannot do it, or does not answer in time. */
  ask(request: Request, patienceMs: number = ANSWER_PATIENCE_MS): Promise<Reply> {
    if (this.#hasEnded) return Promise.reject(this.death("before it was asked"));
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      const overdue = setTimeout(() => {
        this.#open.delete(number);
        const message = `${this.name} did not answer to ${request.kind} within ${patienceMs / 1000} s`;
        reject(new LabError("unhealthy", message));
      }, patienceMs);
      const settle = (): void => clearTimeout(overdue);
      this.#open.set(number, {
        resolve: (reply) => (settle(), resolve(reply)),
        reject: (error) => (settle(), reject(error)),
      });
      this.#process.send({ ...request, number } satisfies Numbered);
    });
  }

  /** Ends it in order, or with force after `patienceMs`. */
  async stop(patienceMs: number): Promise<void> {
    if (this.#hasEnded) return;
    this.#process.kill("SIGTERM");
    const force = setTimeout(() => this.#process.kill("SIGKILL"), patienceMs);
    await this.ended;
    clearTimeout(force);
  }

  #settle(reply: Extract<Reply, { number: number }>): void {
    const open = this.#open.get(reply.number);
    this.#open.delete(reply.number);
    if (reply.kind === "done") open?.resolve(reply);
    else open?.reject(new LabError("process-failed", reply.message));
  }

  /** Its end in words, with the end of its log. */
  death(how: string): LabError {
    const last = lastLines(this.logFile, 5);
    return new LabError(
      "process-died",
      `${this.name} ended ${how}${last === "" ? "" : `; its log ends with: ${last}`}`,
    );
  }
}

function openLog(file: string): number {
  try {
    return openSync(file, "a");
  } catch (error) {
    throw new LabError("folder", `no log can be written: ${(error as Error).message}`, { cause: error });
  }
}

/** Command that makes the kernel send `signal` to the process when its parent is gone; none where there is no such command. */
export function withParent(signal: "KILL" | "QUIT"): readonly string[] {
  hasSetpriv ??=
    process.platform === "linux" &&
    spawnSync("setpriv", ["--pdeathsig", "KILL", "true"], { stdio: "ignore" }).status === 0;
  return hasSetpriv ? ["setpriv", "--pdeathsig", signal] : [];
}

let hasSetpriv: boolean | undefined;

/** Compiled file of a module: processes run without a compiler, also where this file itself runs from source. */
export function moduleFile(module: string): string {
  const source = join("src", "lab", "system");
  const here = import.meta.dirname;
  const folder = here.endsWith(sep + source) ? join(here.slice(0, -source.length), "dist", "lab", "system") : here;
  const file = join(folder, `${module}.js`);
  if (!existsSync(file)) throw new LabError("not-built", `${file} is missing; \`npm run build\` makes it`);
  return file;
}

/** The last lines of a log, joined to one. */
export function lastLines(file: string, count: number): string {
  if (!existsSync(file)) return "";
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "");
  return lines
    .slice(-count)
    .map((line) => line.trim())
    .join(" | ");
}

/** What would change the processes without anybody having asked for it stays out. */
function inheritedEnvironment(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !/^(OTEL_|NODE_|PG|UV_|VITEST|LONGPOLE_)/.test(name)) kept[name] = value;
  }
  return kept;
}
