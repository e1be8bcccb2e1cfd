import { FrameKind } from "../model/stack-table.ts";
import type { StackTableBuilder } from "../model/stack-table-builder.ts";
import { JsonKeys } from "./json-keys.ts";
import { END_OF_OBJECT, JsonKind, type JsonReader } from "./json-reader.ts";

const Key = { functionName: 0, url: 1, lineNumber: 2 } as const;
const KEYS = new JsonKeys(Object.entries(Key));

/** The root above all stacks, which is no function. */
export const ROOT = -1;

/**
 * Reads a `callFrame` object of V8's profiles; returns the row of its frame, or ROOT.
 *
 *     { "functionName": "parse", "scriptId": "70", "url": "file:///srv/a.js", "lineNumber": 41, "columnNumber": 2 }
 *
 * Line numbers begin at 0 there, at 1 here; they are those of the function's beginning.
 */
export function readCallFrame(reader: JsonReader, into: StackTableBuilder): number {
  let name = "";
  let url = "";
  let line = -1;
  reader.enterObject();
  for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
    if (key === Key.functionName && reader.kind() === JsonKind.string) name = readText(reader);
    else if (key === Key.url && reader.kind() === JsonKind.string) url = readText(reader);
    else if (key === Key.lineNumber && reader.kind() === JsonKind.number) line = reader.readNumber();
    else reader.skipValue();
  }
  return addCallFrame(into, name, url, line);
}

/** Row of the frame, or ROOT; `line` from 0. */
export function addCallFrame(into: StackTableBuilder, name: string, url: string, line: number): number {
  if (name === "(root)") return ROOT;
  const file = into.strings.intern(pathOf(url));
  const called = into.strings.intern(name === "" ? "(anonymous)" : name);
  return into.frame(called, file, line >= 0 ? line + 1 : -1, kindOf(name, url));
}

const decoder = new TextDecoder();

function readText(reader: JsonReader): string {
  reader.readString();
  return decoder.decode(reader.text.subarray(reader.textStart, reader.textEnd));
}

/** The path of a file URL, everything else as it is. */
function pathOf(url: string): string {
  if (!url.startsWith("file://")) return url;
  try {
    return decodeURIComponent(url.slice("file://".length));
  } catch {
    return url.slice("file://".length);
  }
}

function kindOf(name: string, url: string): FrameKind {
  if (name === "(garbage collector)") return FrameKind.gc;
  if (name === "(idle)") return FrameKind.idle;
  if (/^(?:node:|internal\/)/.test(url)) return FrameKind.runtime;
  // Bindings, regular expressions and "(program)", which is the machine code of V8 and what it calls.
  if (url === "") return FrameKind.native;
  return url.startsWith("wasm:") ? FrameKind.jit : FrameKind.user;
}
