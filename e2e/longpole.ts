import { spawn, spawnSync } from "node:child_process";
import { join, resolve } from "node:path";

export const ROOT: string = resolve(import.meta.dirname, "..");
const MAIN = join(ROOT, "dist", "cli", "main.js");

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Colours and width must not depend on where the tests run. */
const ENVIRONMENT = { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8", HOME: process.env["HOME"] ?? "" };

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the built command line as its users do and waits for its end. */
export function longpole(args: readonly string[], options: RunOptions = {}): Ended {
  const done = spawnSync(process.execPath, [MAIN, ...args], {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...ENVIRONMENT, ...options.env },
    input: options.input ?? "",
    maxBuffer: 1 << 28,
  });
  return { code: done.status, stdout: done.stdout, stderr: done.stderr };
}

/** A pipeline of the shell in which `longpole` is the built command line. Returns what its last part wrote. */
export function shell(script: string): Ended {
  const done = spawnSync("bash", ["-c", `longpole() { "${process.execPath}" "${MAIN}" "$@"; }\n${script}`], {
    cwd: ROOT,
    encoding: "utf8",
    env: ENVIRONMENT,
  });
  return { code: done.status, stdout: done.stdout, stderr: done.stderr };
}

/** Runs it and interrupts it at the first word on stderr, `times` times. */
export function interrupted(args: readonly string[], times: 1 | 2): Promise<Ended> {
  return new Promise((resolveEnd) => {
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: ROOT, env: ENVIRONMENT });
    let stdout = "";
    let stderr = "";
    let sent = 0;
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      if (sent < times) {
        sent++;
        child.kill("SIGINT");
      }
    });
    child.on("close", (code) => resolveEnd({ code, stdout, stderr }));
  });
}
