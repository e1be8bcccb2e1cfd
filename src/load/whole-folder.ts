import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Puts a folder at `target`, whole or not at all: `fill` writes beside it, and it is renamed. What is there is replaced.
 * Throws what the disk says; `target` is then as it was.
 */
export async function writeWholeFolder(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  let partial: string | undefined;
  try {
    await mkdir(dirname(target), { recursive: true });
    partial = join(dirname(target), `.${basename(target)}.partial-${randomUUID()}`);
    await mkdir(partial);
    await fill(partial);
    await putInPlace(partial, target);
  } catch (error) {
    if (partial !== undefined) await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/** On the disk before the rename is: a machine that loses power must not leave an empty file under a good name. */
export function writeToDisk(path: string, content: string | Uint8Array): Promise<void> {
  return writeFile(path, content, { flush: true });
}

/** A full folder cannot be renamed over: the old one steps aside, and comes back if the new one does not get there. */
async function putInPlace(partial: string, target: string): Promise<void> {
  const aside = `${partial}-replaced`;
  const replaces = await rename(target, aside).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
  try {
    await rename(partial, target);
  } catch (error) {
    if (replaces) await rename(aside, target);
    throw error;
  }
  if (replaces) await rm(aside, { recursive: true, force: true });
}
