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
    let hash = mix(0, traceId[4 * row + 2]!);
    hash = mix(hash, traceId[4 * row + 3]!);
    hash = mix(hash, spanId[2 * row]!);
    return mix(hash, spanId[2 * row + 1]!) >>> 0 < limit;
  });
}

/** Finaliser of MurmurHash3 (A. Appleby, public domain) after each word: counting ids spread as random ones do. */
function mix(hash: number, word: number): number {
  let mixed = Math.imul(hash ^ word, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
