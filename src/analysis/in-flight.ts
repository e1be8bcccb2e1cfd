import { ascendingOrder } from "./ascending-order.ts";

/**
 * How many other spans of its group each span finds in flight when it starts: those with
 * start_j < start_i < end_j; of equal starts the lower row counts as first. A span that ends in the instant is gone.
 *
 * startNs, endNs, group: one element per span, in any order; group is any whole number (operation, instance x
 * operation). Returns one count per span. O(n log n).
 */
export function inFlightAtStart(
  startNs: Float64Array,
  endNs: Float64Array,
  group: Int32Array,
  { byStart, byEnd }: SpanOrders = orderSpans(startNs, endNs),
): Int32Array {
  const active = new Map<number, number>();
  const change = (g: number, by: number): void => void active.set(g, (active.get(g) ?? 0) + by);
  const seen = new Int32Array(startNs.length);
  let ended = 0;
  for (const row of byStart) {
    const now = startNs[row]!;
    for (; ended < byEnd.length && endNs[byEnd[ended]!]! <= now; ended++) {
      const gone = byEnd[ended]!;
      if (lasts(startNs, endNs, gone)) change(group[gone]!, -1);
    }
    seen[row] = active.get(group[row]!) ?? 0;
    if (lasts(startNs, endNs, row)) change(group[row]!, 1);
  }
  return seen;
}

/** Rows by start and by end, which several groupings of the same spans share. */
export interface SpanOrders {
  readonly byStart: Int32Array;
  readonly byEnd: Int32Array;
}

export function orderSpans(startNs: Float64Array, endNs: Float64Array): SpanOrders {
  return { byStart: ascendingOrder(startNs), byEnd: ascendingOrder(endNs) };
}

/** A span without duration is never in flight for another. */
function lasts(startNs: Float64Array, endNs: Float64Array, row: number): boolean {
  return endNs[row]! > startNs[row]!;
}
