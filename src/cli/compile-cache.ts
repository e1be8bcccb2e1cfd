import { existsSync, statSync } from "node:fs";
import * as nodeModule from "node:module";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { Terminal } from "./terminal.ts";

/**
 * Has Node keep what it compiles of Longpole's modules (Node 22.1 and newer; older ones go without), so that the next
 * start need not compile them again. Where the folder cannot be written, nothing is kept and nothing is said.
 */
export function keepCompiled(environment: Terminal["environment"]): void {
  const { enableCompileCache } = nodeModule as { enableCompileCache?: (folder: string) => unknown };
  if (enableCompileCache === undefined) return;
  let home: string;
  try {
    home = homedir();
  } catch {
    // A user that the system does not know, as containers have them, without HOME.
    return;
  }
  const folder = compileCacheFolder(environment, process.platform, home);
  if (folder !== undefined) enableCompileCache(folder);
}

const OTHERS_WRITE = 0o002;

/**
 * A folder among the caches of this user, as the platform has them: never one of the project, never one that all may
 * write to. Undefined where they, or what is in them, belong to somebody else: compiled code is run as it is found, and
 * root, whom sudo may leave with the home of another, does not take it from there.
 */
export function compileCacheFolder(
  environment: Terminal["environment"],
  platform: NodeJS.Platform,
  home: string,
): string | undefined {
  const named = platform === "win32" ? environment["LOCALAPPDATA"] : environment["XDG_CACHE_HOME"];
  const usual = { win32: ["AppData", "Local"], darwin: ["Library", "Caches"] }[platform as string] ?? [".cache"];
  const caches = named !== undefined && isAbsolute(named) ? named : join(home, ...usual);
  const folders = [caches, join(caches, "longpole"), join(caches, "longpole", "compiled")];
  const present = folders.filter((folder) => existsSync(folder));
  return (present.length === 0 ? [home] : present).every(isOwn) ? folders.at(-1) : undefined;
}

/** Whether nobody else put it there or, as in /tmp, may put anything into it. */
function isOwn(folder: string): boolean {
  try {
    if (process.getuid === undefined) return true;
    const { uid, mode } = statSync(folder);
    return uid === process.getuid() && (mode & OTHERS_WRITE) === 0;
  } catch {
    return false;
  }
}
