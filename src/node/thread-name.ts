import { readlinkSync } from "node:fs";
import { basename } from "node:path";
import * as threads from "node:worker_threads";

/** The system's number of this thread; undefined where the system does not tell it. */
export function systemThreadId(): number | undefined {
  try {
    // "PID/task/TID"
    const found = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    return Number.isInteger(found) && found > 0 ? found : undefined;
  } catch {
    // Only Linux has it.
    return undefined;
  }
}

const MAX_LENGTH = 64;

/**
 * What workers of one purpose have in common: the name that the program gave them, which Node tells from 24.6 on (22.20 of
 * 22), else the file that they run.
 */
export function workerName(): string {
  const { threadName } = threads as { readonly threadName?: string };
  if (threadName !== undefined && threadName !== "" && threadName !== "WorkerThread")
    return threadName.slice(0, MAX_LENGTH);
  const script = process.argv[1] ?? "";
  return (script.startsWith("data:") ? "data:" : basename(script)).slice(0, MAX_LENGTH);
}
