import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { access } from "node:fs/promises";
import { setPriority } from "node:os";
import { join } from "node:path";
import { LabError } from "../lab-error.ts";
import { forkSibling } from "../load/sibling-module.ts";
import { FILE_VARIABLE } from "./writer-file.ts";

/** Processes of somebody else. */
export interface Neighbours {
  readonly pids: readonly number[];
  end(): Promise<void>;
}

/** Starts processes that use a core each, at the given niceness. Throws a LabError. */
export async function startNeighbours(processes: number, nice: number): Promise<Neighbours> {
  const children = await startAll(
    "busy-neighbour",
    Array.from({ length: processes }, () => ({})),
  );
  try {
    for (const { pid } of children) setPriority(pid!, nice);
  } catch (error) {
    await endAll(children);
    throw new LabError("neighbours", `a process cannot be given niceness ${nice}: below 0 needs root`, {
      cause: error,
    });
  }
  return neighboursOf(children);
}

/** Starts processes that write to a file in `folder` and sync it, again and again. Throws a LabError. */
export async function startDiskWriters(writers: number, folder: string): Promise<Neighbours> {
  await access(folder).catch((error: unknown) => {
    throw new LabError("disk-writers", `the folder ${folder} that disk writers should write to is not there`, {
      cause: error,
    });
  });
  const files = Array.from({ length: writers }, (_, i) => ({
    [FILE_VARIABLE]: join(folder, `disk-writer-${process.pid}-${i}`),
  }));
  const children = await startAll("disk-writer", files);
  return neighboursOf(children);
}

const neighboursOf = (children: readonly ChildProcess[]): Neighbours => ({
  pids: children.map(({ pid }) => pid!),
  end: () => endAll(children),
});

/** A process that is started is ready when it says so. */
async function startAll(module: string, environments: readonly NodeJS.ProcessEnv[]): Promise<ChildProcess[]> {
  // The environment of this process may hold the settings of somebody's telemetry: only what is needed.
  const children = environments.map((env) =>
    forkSibling(import.meta.url, module, {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { PATH: process.env["PATH"], ...env },
    }),
  );
  const ready = children.map((child) =>
    Promise.race([
      once(child, "message"),
      once(child, "exit").then(() => {
        throw new LabError(module, `the process ${module} ended before it began`);
      }),
    ]),
  );
  try {
    await Promise.all(ready);
  } catch (error) {
    await endAll(children);
    throw error;
  }
  return children;
}

async function endAll(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      // What it left in files it removes itself, so it is asked, not killed.
      if (child.connected) child.disconnect();
      await ended;
    }),
  );
}
