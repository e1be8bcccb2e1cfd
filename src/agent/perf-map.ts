import { statSync } from "node:fs";
import { readRegular } from "./regular-file.ts";

/** Names that a runtime wrote for the code it compiled: /tmp/perf-PID.map. */
export interface PerfMap {
  find(address: number): string | undefined;
  readonly count: number;
  /** lines that are no entries */
  readonly damaged: number;
}

/** A year of a busy Node writes some 50 MB. */
const MAX_BYTES = 1 << 28;

/**
 * `start size name` in hexadecimal, a line each. Code is moved and its place used again: where entries overlap, the later
 * one holds. Damaged lines are counted and left out.
 */
export function parsePerfMap(text: string): PerfMap {
  const entries: { start: number; end: number; name: string; order: number }[] = [];
  let damaged = 0;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const match = /^(?:0x)?([\da-f]{1,16}) (?:0x)?([\da-f]{1,16}) (.+)$/i.exec(line);
    if (match === null) {
      damaged++;
      continue;
    }
    const start = Number.parseInt(match[1]!, 16);
    const end = start + Number.parseInt(match[2]!, 16);
    entries.push({ start, end, name: match[3]!, order: entries.length });
  }
  entries.sort((a, b) => a.start - b.start || a.order - b.order);
  // The farthest end so far, so that a search to the left knows when to stop.
  const reach = new Float64Array(entries.length);
  entries.forEach((entry, i) => (reach[i] = Math.max(entry.end, i === 0 ? 0 : reach[i - 1]!)));
  return {
    count: entries.length,
    damaged,
    find: (address) => {
      let [low, high] = [0, entries.length];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (entries[middle]!.start <= address) low = middle + 1;
        else high = middle;
      }
      let best: (typeof entries)[number] | undefined;
      for (let at = low - 1; at >= 0 && reach[at]! > address; at--) {
        const entry = entries[at]!;
        if (address < entry.end && (best === undefined || entry.order > best.order)) best = entry;
      }
      return best?.name;
    },
  };
}

/** Asked of every process, most of which have none. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // The process, or the right to look at it, is gone.
    return false;
  }
}

/** Reads the map of a process; undefined where it has written none. Throws an Error for one that is too large or no file. */
export function readPerfMap(path: string): PerfMap | undefined {
  if (!isThere(path)) return undefined;
  return parsePerfMap(readRegular(path, MAX_BYTES));
}

export interface JitFrame {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly isScript: boolean;
}

/**
 * A name of a perf map, taken apart: V8's `JS:*parse file:///srv/a.js:39:12` is `parse` in a.js, line 39; its builtins,
 * and what other runtimes write, keep their names. CPython's `py::parse:/srv/a.py` names the file without a line.
 */
export function readJitName(name: string): JitFrame {
  const python = /^py::(.+?):(\/.*|<.*>)$/.exec(name);
  if (python !== null) return { name: python[1]!, file: python[2]!, line: -1, isScript: true };
  const v8 = /^(?:JS|LazyCompile|Function|Script|Eval):([*~^+]*)(.*)$/.exec(name);
  if (v8 === null) return { name, file: "", line: -1, isScript: false };
  const place = /^(\S*) ?(?:file:\/\/)?(.+?):(\d+)(?::\d+)?$/.exec(v8[2]!);
  if (place === null) return { name: v8[2] === "" ? "(anonymous)" : v8[2]!, file: "", line: -1, isScript: true };
  const called = place[1] === "" ? "(anonymous)" : place[1]!;
  return { name: called, file: place[2]!, line: Number(place[3]), isScript: true };
}
