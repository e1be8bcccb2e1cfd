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
  const { place, count } = placesOf(group);
  const active = new Int32Array(count);
  const seen = new Int32Array(startNs.length);
  let ended = 0;
  for (let k = 0; k < byStart.length; k++) {
    const row = byStart[k]!;
    const now = startNs[row]!;
    for (; ended < byEnd.length && endNs[byEnd[ended]!]! <= now; ended++) {
      const gone = byEnd[ended]!;
      if (lasts(startNs, endNs, gone)) active[place[gone]!]!--;
    }
    seen[row] = active[place[row]!]!;
    if (lasts(startNs, endNs, row)) active[place[row]!]!++;
  }
  return seen;
}

/**
 * Of spans of some kind (`counts` is 1) how many are open when each span starts: those of its group that started before it
 * less those that ended before it. One count per span.
 */
export function openAtStart(
  startNs: Float64Array,
  endNs: Float64Array,
  group: Int32Array,
  counts: Uint8Array,
  { byStart, byEnd }: SpanOrders,
): Int32Array {
  const { place, count } = placesOf(group);
  const open = new Int32Array(count);
  const seen = new Int32Array(startNs.length);
  let [started, ended] = [0, 0];
  for (let k = 0; k < byStart.length; k++) {
    const now = startNs[byStart[k]!]!;
    for (; startNs[byStart[started]!]! < now; started++)
      if (counts[byStart[started]!] === 1) open[place[byStart[started]!]!]!++;
    for (; ended < byEnd.length && endNs[byEnd[ended]!]! < now; ended++)
      if (counts[byEnd[ended]!] === 1) open[place[byEnd[ended]!]!]!--;
    seen[byStart[k]!] = open[place[byStart[k]!]!]!;
  }
  return seen;
}

/** Groups as numbers from 0 on: an array counts some ten times as fast as a map. */
function placesOf(group: Int32Array): { place: Int32Array; count: number } {
  const places = new Map<number, number>();
  const place = new Int32Array(group.length);
  let [last, held] = [Number.NaN, 0];
  for (let row = 0; row < group.length; row++) {
    const one = group[row]!;
    if (one !== last) {
      held = places.get(one) ?? places.size;
      places.set(one, held);
      last = one;
    }
    place[row] = held;
  }
  return { place, count: places.size };
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
