import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../model/intake.ts";

/** A file to be read. */
export interface InputFile {
  readonly path: string;
  /** -1 for stdin and pipes, whose size is not known */
  readonly bytes: number;
  /** when it was written last; for stdin and pipes, when it was found */
  readonly modifiedUnixNs: bigint;
  /** Whether the user named this very file, rather than a directory it lies in. */
  readonly named: boolean;
}

/** A file that was not used, and why. */
export interface SkippedFile {
  readonly path: string;
  readonly reason: string;
}

export interface Inputs {
  readonly files: InputFile[];
  readonly skipped: SkippedFile[];
  readonly errors: InputError[];
}

/**
 * Files behind `paths`: files as given, directories with all they contain, sorted by
 * name, without hidden files and without following symbolic links to directories;
 * "-" is stdin. A file met twice is read once.
 */
export async function listInputs(paths: readonly string[]): Promise<Inputs> {
  const inputs: Inputs = { files: [], skipped: [], errors: [] };
  const seen = new Set<string>();
  for (const path of paths) {
    if (path === "-" && seen.has(path)) inputs.skipped.push({ path, reason: "the same file again" });
    else if (path === "-") {
      seen.add(path);
      inputs.files.push({ path, bytes: -1, modifiedUnixNs: msToNs(Date.now()), named: true });
    } else await addPath(path, true, inputs, seen);
  }
  return inputs;
}

async function addPath(path: string, named: boolean, inputs: Inputs, seen: Set<string>): Promise<void> {
  // A stack instead of recursion; the next path is its last.
  const open = [{ path, named }];
  while (open.length > 0) {
    const next = open.pop()!;
    try {
      const found = await stat(next.path);
      if (found.isDirectory()) {
        const entries = await readdir(next.path, { withFileTypes: true });
        const names = entries
          .filter((entry) => !entry.name.startsWith("."))
          .toSorted((a, b) => (a.name < b.name ? 1 : -1));
        for (const entry of names) {
          const inner = join(next.path, entry.name);
          if (entry.isSymbolicLink() && (await isDirectory(inner))) {
            inputs.skipped.push({ path: inner, reason: "symbolic link to a directory" });
          } else open.push({ path: inner, named: false });
        }
        continue;
      }
      const identity = `${found.dev}:${found.ino}`;
      if (seen.has(identity)) inputs.skipped.push({ path: next.path, reason: "the same file again" });
      else if (!found.isFile() && !next.named) inputs.skipped.push({ path: next.path, reason: "not a regular file" });
      else {
        const bytes = found.isFile() ? found.size : -1;
        const modifiedUnixNs = msToNs(found.isFile() ? found.mtimeMs : Date.now());
        inputs.files.push({ path: next.path, bytes, modifiedUnixNs, named: next.named });
      }
      seen.add(identity);
    } catch (error) {
      inputs.errors.push(unreadable(next.path, error));
    }
  }
}

const msToNs = (ms: number): bigint => BigInt(Math.floor(ms)) * 1_000_000n;

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    // A dangling link: opening it tells why.
    return false;
  }
}

/** The InputError for a failure of the file system. */
export function unreadable(file: string, error: unknown): InputError {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined) throw error;
  const found = code === "ENOENT" ? "no such file or directory" : code === "EACCES" ? "no permission to read it" : code;
  return new InputError("unreadable", { file, byteOffset: -1, expected: "a readable file", found });
}
