import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./longpole.ts";

/** A `longpole up` in a process of its own. */
export interface RunningUp {
  readonly apiUrl: string;
  readonly otlpUrl: string;
  /** HOST:PORT */
  readonly otlpGrpc: string;
  readonly pid: number;
  readonly stderr: () => string;
  /** its exit code, null where a signal ended it */
  readonly ended: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
}

/** For hooks that start one: on a busy machine the engine takes its time. */
export const START_TIMEOUT_MS = 120_000;

/** Starts it on free ports; resolves when it says where it listens. */
export function startUp(dataDir: string, args: readonly string[] = []): Promise<RunningUp> {
  const main = join(ROOT, "dist", "cli", "main.js");
  const free = ["--port", "0", "--grpc-port", "0", "--http-port", "0"];
  const child = spawn(process.execPath, [main, "up", "--json", "--data", dataDir, ...free, ...args], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8", HOME: process.env["HOME"] ?? "" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // Tests that fail before they end it leave nothing behind.
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  child.once("close", () => process.off("exit", end));
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return new Promise((resolve, reject) => {
    let stdout = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
      if (!stdout.includes("\n")) return;
      const told = JSON.parse(stdout) as { apiUrl: string; otlpHttp: string; otlpGrpc: string };
      resolve({
        apiUrl: told.apiUrl,
        otlpUrl: `http://${told.otlpHttp}`,
        otlpGrpc: told.otlpGrpc,
        pid: child.pid!,
        stderr: () => stderr,
        ended,
        kill: (signal) => void child.kill(signal),
      });
    });
    void ended.then((code) => reject(new Error(`longpole up ended with ${code}: ${stderr}`)));
  });
}
