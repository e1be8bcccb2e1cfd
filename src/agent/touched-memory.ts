import { readFileSync } from "node:fs";
import { parseMaps, type Mapping } from "./process-maps.ts";

/** Mappings change while a program runs; a look mostly costs some 0.1 to 1 ms. */
const LOOK_AGAIN_MS = 100;
/** Each mapping takes some 2 µs to read: of a process that has tens of thousands no more than 2 % of the time goes into it. */
const MS_PER_MAPPING = 0.1;

/** What the places in the memory of processes are: the file that is mapped there, or what the kernel calls them. */
export class TouchedMemory {
  private readonly processes = new Map<number, { readonly untilMs: number; readonly mappings: readonly Mapping[] }>();
  private readonly read: (pid: number) => readonly Mapping[] | undefined;

  /** read: what a process has mapped now, ascending; undefined where that cannot be told. */
  constructor(read: (pid: number) => readonly Mapping[] | undefined = mappingsOf) {
    this.read = read;
  }

  /** "/srv/data.bin", "[heap]", "[stack]", "[anonymous]"; "" where nothing lies there by now. nowMs: of any clock. */
  nameOf(pid: number, address: number, nowMs: number): string {
    let held = this.processes.get(pid);
    if (held === undefined || nowMs >= held.untilMs) {
      const mappings = this.read(pid) ?? held?.mappings ?? [];
      const untilMs = nowMs + Math.max(LOOK_AGAIN_MS, MS_PER_MAPPING * mappings.length);
      this.processes.set(pid, (held = { untilMs, mappings }));
    }
    const found = held.mappings.find(({ start, end }) => start <= address && address < end);
    return found === undefined ? "" : found.path === "" ? "[anonymous]" : found.path;
  }
}

/** undefined where the process has ended, or may not be looked at: what was known before still holds. */
function mappingsOf(pid: number): readonly Mapping[] | undefined {
  try {
    return parseMaps(readFileSync(`/proc/${pid}/maps`, "utf8"), () => true);
  } catch {
    return undefined;
  }
}
