import { readFileSync } from "node:fs";

/** The number of a process within its innermost namespace, by which it names its own files; the same outside of containers. */
export function innerPid(pid: number): number {
  try {
    const line = /^NSpid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(line?.trim().split(/\s+/).at(-1) ?? pid);
  } catch {
    return pid;
  }
}
