import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { InputError } from "../model/intake.ts";

/** The whole of a text file, or of standard input for "-". Throws InputError where it cannot be read. */
export async function readText(file: string): Promise<string> {
  try {
    // As a stream: descriptor 0 read at once fails (EAGAIN) where it is a pipe that another program made non-blocking.
    return await (file === "-" ? text(process.stdin) : readFile(file, "utf8"));
  } catch (error) {
    const found = error instanceof Error ? reasonOf(error) : String(error);
    throw new InputError("unreadable", { file: nameOf(file), byteOffset: -1, expected: "a readable file", found });
  }
}

export const nameOf = (file: string): string => (file === "-" ? "standard input" : file);

/** "ENOENT: no such file or directory, open 'x'" without the code, the call and the name, which stands before it. */
const reasonOf = ({ message }: Error): string => message.replace(/^[A-Z]+: /, "").replace(/, [a-z]+(?: '.*')?$/, "");
