import { readFileSync } from "node:fs";
import { parseMaps, type Mapping } from "./process-maps.ts";

/** Mappings change while a program runs; a look costs some 0.1 to 1 ms. */
const LOOK_AGAIN_MS = 100;

/** What the places in the memory of processes are: the file that is mapped there, or what the kernel calls them. */
export class TouchedMemory {
  private readonly processes = new Map<number, { readonly atMs: number; readonly mappings: readonly Mapping[] }>();

  /** "/srv/data.bin", "[heap]", "[stack]", "[anonymous]"; "" where nothing lies there by now. nowMs: of any clock. */
  nameOf(pid: number, address: number, nowMs: number): string {
    let held = this.processes.get(pid);
    if (held === undefined || nowMs - held.atMs >= LOOK_AGAIN_MS)
      this.processes.set(pid, (held = { atMs: nowMs, mappings: mappingsOf(pid) ?? held?.mappings ?? [] }));
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
