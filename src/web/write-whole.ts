import { randomBytes } from "node:crypto";
import { realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { InputError } from "../model/intake.ts";

/**
 * Writes a text to a file whole or not at all: a file that was there is kept until the new one is complete, and a
 * link to it stays a link. What is no file (a pipe, `/dev/stdout`) is written to, never replaced.
 * Throws InputError where `file` cannot be written.
 */
export async function writeWhole(file: string, text: string): Promise<void> {
  try {
    const target = await realpath(file).catch(ifMissing(file));
    const isFile = await stat(target).then((found) => found.isFile(), ifMissing(true));
    if (isFile) await replace(target, text);
    else await writeFile(target, text);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const found = WORDS[code ?? ""] ?? code ?? message;
    throw new InputError("unreadable", { file, byteOffset: -1, expected: "a writable file", found });
  }
}

async function replace(target: string, text: string): Promise<void> {
  const beside = `${target}.${randomBytes(4).toString("hex")}.part`;
  try {
    await writeFile(beside, text);
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

const ifMissing =
  <T>(value: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === "ENOENT") return value;
    throw error;
  };

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such folder",
  ENOTDIR: "a file where a folder should be",
  EISDIR: "a folder",
  EACCES: "no permission to write it",
  EROFS: "a read-only file system",
  ENOSPC: "a full disk",
};
