import type { Window } from "./window.ts";

/**
 * About `most` of the span rows where there are more, in their order: those whose ids hash low, so that neither the
 * order in which spans arrived nor a period in the traffic decides which. All of them where they are no more.
 */
export function sampledRows(window: Window, rows: Int32Array, most: number): Int32Array {
  if (rows.length <= most) return rows;
  const limit = (most / rows.length) * 2 ** 32;
  const { traceId, spanId } = window.spans;
  return rows.filter((row) => {
    let hash = 0;
    // Finaliser of MurmurHash3 (A. Appleby, public domain) after each word: counting ids spread as random ones do.
    for (const word of [traceId[4 * row + 2]!, traceId[4 * row + 3]!, spanId[2 * row]!, spanId[2 * row + 1]!]) {
      hash = Math.imul(hash ^ word, 0x85ebca6b);
      hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
      hash ^= hash >>> 16;
    }
    return hash >>> 0 < limit;
  });
}
