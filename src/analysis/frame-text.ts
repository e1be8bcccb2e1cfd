import type { StackTable } from "../model/stack-table.ts";

/** "parseLine (ingest.ts:42)": name, and the last part of the path with the line where both are known. */
export function frameText({ frames, strings }: StackTable, frame: number): string {
  const place = placeText(strings.get(frames.file[frame]!), frames.line[frame]!);
  const name = strings.get(frames.function[frame]!);
  return place === "" ? name : `${name} (${place})`;
}

/** "ingest.ts:42", "node:fs:900", "libc.so.6", or "". */
export function placeText(file: string, line: number): string {
  const base = file.startsWith("node:") ? file : file.slice(file.lastIndexOf("/") + 1) || file;
  return base === "" || line < 1 ? base : `${base}:${line}`;
}
