import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { longpole, ROOT } from "./longpole.ts";
import { START_TIMEOUT_MS } from "./running-up.ts";

export const isRoot: boolean = process.getuid?.() === 0;

/** The rung of each collector that `longpole doctor` finds on this machine. */
export function collectorRungs(): ReadonlyMap<string, string> {
  const { capabilities } = JSON.parse(longpole(["doctor", "--json"]).stdout) as {
    readonly capabilities: readonly { readonly name: string; readonly rung: string }[];
  };
  return new Map(capabilities.map(({ name, rung }) => [name, rung]));
}

/** A folder and processes of one file of tests. */
export interface TestGround {
  readonly folder: string;
  /** Ends it after the last test, or after the one that started it where that fails. */
  keep<Child extends ChildProcess>(child: Child): Child;
}

/** For the top of a file of tests: there before its first test, gone after its last one. */
export function testGround(name: string): TestGround {
  let folder = "";
  const started: ChildProcess[] = [];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), `longpole-${name}-`));
    // The agent becomes another user, who has to get to its queue.
    chmodSync(folder, 0o755);
  });
  let before = 0;
  beforeEach(() => void (before = started.length));
  // What a test that failed has left would be in the way of its second try.
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") await endAll(started.slice(before));
  });
  afterAll(async () => {
    await endAll(started);
    // The store's engine ends a moment after the server that it belongs to.
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
  }, START_TIMEOUT_MS);
  return {
    get folder() {
      return folder;
    },
    keep: (child) => {
      started.push(child);
      return child;
    },
  };
}

async function endAll(children: readonly ChildProcess[]): Promise<void> {
  for (const child of children) {
    const isOver = child.exitCode !== null || child.signalCode !== null;
    child.kill("SIGKILL");
    if (!isOver) await once(child, "exit");
  }
}

/** A process of which the standard error is listened to. */
export interface RunningAgent {
  readonly child: ChildProcess;
  stderr(): string;
  /** resolves when it has said that, rejects where it ended without */
  said(text: string): Promise<void>;
  /** its exit code, null where a signal ended it */
  readonly ended: Promise<number | null>;
}

export function listenedTo(ground: TestGround, child: ChildProcess): RunningAgent {
  ground.keep(child);
  let stderr = "";
  child.stderr!.on("data", (piece: Buffer) => (stderr += piece.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    child,
    stderr: () => stderr,
    ended,
    said: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (stderr.includes(text)) resolve();
        };
        look();
        child.stderr!.on("data", look);
        void ended.then(() => reject(new Error(`it ended without "${text}": ${stderr}`)));
      }),
  };
}

/** `longpole agent` in a process of its own, its queue in the ground's folder. helper: a program in the helper's place. */
export function startAgent(
  ground: TestGround,
  endpoint: string,
  queue: string,
  words: readonly string[],
  options: { readonly helper?: string; readonly stdout?: "pipe" } = {},
): RunningAgent {
  const main = join(ROOT, "dist", "cli", "main.js");
  const own = ["agent", "--endpoint", endpoint, "--queue", join(ground.folder, queue)];
  const helper = options.helper === undefined ? {} : { LONGPOLE_PROBE: options.helper };
  const child = spawn(process.execPath, [main, ...own, ...words], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8", HOME: ground.folder, ...helper },
    stdio: ["ignore", options.stdout ?? "ignore", "pipe"],
  });
  return listenedTo(ground, child);
}

/** The first answer that is not undefined; throws where none came in that time, or the agent has ended. */
export async function eventually<T>(
  patienceMs: number,
  look: () => Promise<T | undefined> | T | undefined,
  what: () => string,
  agent?: RunningAgent,
): Promise<T> {
  const until = Date.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > until || (agent !== undefined && agent.child.exitCode !== null))
      throw new Error(`never came: ${what()}`);
    await sleep(250);
  }
}

/** The helper that an agent started. */
export function helperOf({ child }: RunningAgent): number | undefined {
  try {
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
    return children.trim().split(" ").filter(Boolean).map(Number).find(isHelper);
  } catch {
    // It has ended.
    return undefined;
  }
}

/** Whether a process is a helper; not any more where it has ended. */
export function isHelper(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "longpole-probe";
  } catch {
    return false;
  }
}
