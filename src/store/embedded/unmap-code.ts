import { readFileSync, realpathSync } from "node:fs";
import { DataType, load, open } from "ffi-rs";

/** Of Linux, include/uapi/asm-generic/mman-common.h. */
const MADV_DONTNEED = 4;
const LIBC = "libc";

/**
 * Gives up the pages of a library's code that this process has mapped; gives their range's size in bytes. Linux with glibc alone.
 *
 * Starting the engine, and each kind of work that it does once, maps code that stays part of the process, 120 MB of
 * it, whether it is used again or not. What is used again is mapped again from the page cache, in microseconds; the rest
 * the kernel can take for others. Code is never written to, so nothing can be lost; the library's data is left alone,
 * which relocations have changed.
 * Throws where the system refuses.
 */
export function unmapCode(library: string): number {
  const path = realpathSync(library);
  open({ library: LIBC, path: "libc.so.6" });
  let bytes = 0;
  for (const { start, size } of codeOf(path, readFileSync("/proc/self/maps", "utf8"))) {
    const result = load({
      library: LIBC,
      funcName: "madvise",
      retType: DataType.I32,
      paramsType: [DataType.U64, DataType.U64, DataType.I32],
      paramsValue: [start, size, MADV_DONTNEED],
    });
    if (result !== 0) throw new Error(`madvise refused ${size} bytes of ${path}`);
    bytes += size;
  }
  return bytes;
}

/** Ranges of a file that are mapped as code, in the text of /proc/PID/maps. */
export function codeOf(path: string, maps: string): { readonly start: number; readonly size: number }[] {
  const ranges: { start: number; size: number }[] = [];
  for (const line of maps.split("\n")) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ \S+ +(.+)$/.exec(line);
    if (match === null || match[3] !== path) continue;
    // Addresses have 47 bits: doubles hold them.
    const start = Number.parseInt(match[1]!, 16);
    ranges.push({ start, size: Number.parseInt(match[2]!, 16) - start });
  }
  return ranges;
}
