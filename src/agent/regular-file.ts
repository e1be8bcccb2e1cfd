import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from "node:fs";

/**
 * Opens a file that a process under observation names, for reading. Whoever runs that process chose what lies there: a pipe
 * would be waited for without end, and to open a device may do something. Throws the system's error, or one that says
 * that it is no regular file.
 */
export function openRegular(path: string): number {
  const refuse = (): never => {
    throw new Error(`${path}: no regular file`);
  };
  if (!statSync(path).isFile()) refuse();
  // It may have become a pipe since.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (fstatSync(file).isFile()) return file;
  closeSync(file);
  return refuse();
}

/** The text of such a file. Throws as above, and where it has more than `mostBytes`. */
export function readRegular(path: string, mostBytes: number): string {
  const file = openRegular(path);
  try {
    const { size } = fstatSync(file);
    if (size > mostBytes) throw new Error(`${path}: ${size} bytes; at most ${mostBytes} are read`);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}
