import { readFileSync } from "node:fs";

/** What the kernel tells each program when it begins it, of which this is the size of a page; see getauxval(3). */
const AT_PAGESZ = 6n;
/** Of x86-64, and of most ARM machines; some of those have 16 or 64 KiB. */
const USUAL_BYTES = 4096;

/** Bytes of a page by the content of /proc/PID/auxv: pairs of words, a kind and a value; undefined where it does not say. */
export function pageSize(auxv: Uint8Array): number | undefined {
  // As the machine orders its bytes. A copy, as `slice` of a Buffer is not: words stand at multiples of eight, and a Buffer shares its memory with others.
  const words = new BigUint64Array(Uint8Array.from(auxv.subarray(0, auxv.length & ~7)).buffer);
  for (let at = 0; at + 1 < words.length; at += 2) if (words[at] === AT_PAGESZ) return Number(words[at + 1]);
  return undefined;
}

function pageSizeHere(): number {
  try {
    return pageSize(readFileSync("/proc/self/auxv")) ?? USUAL_BYTES;
  } catch {
    // Not Linux, where nobody asks for it.
    return USUAL_BYTES;
  }
}

/** Of this machine, in which the kernel counts resident memory. Read at the start: a process that became another user may not. */
export const PAGE_BYTES: number = pageSizeHere();
