import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { chownSync, closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { lastLines, withParent } from "../child.ts";
import type { PostgresPlan } from "../messages.ts";

const START_PATIENCE_MS = 30_000;

/**
 * Starts the server of `plan`, on a new database where there is none yet, and
 * resolves when it takes connections. `onProcess` hears of the process as soon as
 * there is one. Rejects with the last lines of the server's log.
 */
export async function startCluster(
  plan: PostgresPlan,
  signal: AbortSignal,
  onProcess: (child: ChildProcess) => void,
): Promise<ChildProcess> {
  const data = join(plan.folder, "data");
  if (!existsSync(join(data, "PG_VERSION"))) await makeCluster(plan, data, signal);
  signal.throwIfAborted();
  const options = Object.entries(plan.options).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = run(plan, ["-D", data, "-p", String(plan.port), ...options], "postgres", "QUIT");
  onProcess(child);
  await ready(plan, child, join(data, "postmaster.pid"), signal);
  return child;
}

/** Ends the server, its connections cut: by SIGINT in order, by SIGQUIT at once, so that it would recover at its next start. */
export async function stopCluster(child: ChildProcess, signal: "SIGINT" | "SIGQUIT"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, "exit");
  child.kill(signal);
  const steps = [setTimeout(() => child.kill("SIGQUIT"), 5000), setTimeout(() => child.kill("SIGKILL"), 8000)];
  await exited;
  for (const step of steps) clearTimeout(step);
}

async function makeCluster(plan: PostgresPlan, data: string, signal: AbortSignal): Promise<void> {
  const passwordFile = join(plan.folder, "password");
  writeFileSync(passwordFile, plan.password, { mode: 0o600 });
  if (plan.user !== undefined) chownSync(passwordFile, plan.user.uid, plan.user.gid);
  const names = ["--pgdata", data, "--username", plan.owner, "--pwfile", passwordFile, "--auth", "scram-sha-256"];
  const options = ["--encoding", "UTF8", "--locale", "C", "--no-sync"];
  const maker = run(plan, [...names, ...options], "initdb", "KILL");
  const stop = (): void => killGroup(maker);
  signal.addEventListener("abort", stop, { once: true });
  const code = await exitCode(maker);
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  rmSync(passwordFile);
  if (code !== 0) throw new Error(lastLines(plan.logFile, 5));
}

function run(plan: PostgresPlan, args: readonly string[], program: string, signal: "KILL" | "QUIT"): ChildProcess {
  const argv = [...withParent(signal), join(plan.binaries, program), ...args];
  const log = openSync(plan.logFile, "a");
  // A group of its own, so that initdb can be ended with what it starts.
  const options: SpawnOptions = { stdio: ["ignore", log, log], detached: true, cwd: "/", ...plan.user };
  try {
    return spawn(argv[0] ?? "", argv.slice(1), options);
  } finally {
    closeSync(log);
  }
}

function exitCode(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("exit", resolve);
    child.once("error", reject);
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-child.pid, "SIGKILL");
}

/** The server writes "ready" at the end of postmaster.pid when it takes connections, as `pg_ctl --wait` looks for. */
async function ready(plan: PostgresPlan, child: ChildProcess, pidFile: string, signal: AbortSignal): Promise<void> {
  let failure: string | undefined;
  child.once("error", (error) => (failure = error.message));
  child.once("exit", () => (failure ??= lastLines(plan.logFile, 5)));
  const deadline = performance.now() + START_PATIENCE_MS;
  for (;;) {
    signal.throwIfAborted();
    if (failure !== undefined) throw new Error(failure);
    // A file of the server before has another process on its first line.
    const lines = existsSync(pidFile) ? readFileSync(pidFile, "utf8").split("\n") : [];
    if (lines[0] === String(child.pid) && lines[7]?.trim() === "ready") return;
    if (performance.now() > deadline) throw new Error(`not ready after ${START_PATIENCE_MS / 1000} s`);
    await pause(20);
  }
}
