import type { SpanFacts } from "../model/span-facts.ts";
import { SpanFlag } from "../model/trace-forest.ts";
import type { SpanTable } from "../model/span-table.ts";
import { NS_PER_MS } from "../model/units.ts";
import { usualOffsets } from "./usual-offset.ts";

/** Spans of an instance from which on its clock is judged. */
const MIN_SPANS = 20;

/**
 * Granularity of each span's *start*: 1 ms where the instance reads starts from a
 * clock that counts whole milliseconds while durations are finer, else 0.
 *
 * OpenTelemetry's JavaScript SDK takes the start from `Date.now()` and the
 * duration from `performance.now()`: ten queries of 0.3 ms in a row then seem to
 * run three at a time. Where durations are whole milliseconds as well nothing is
 * known to be cut off, and the times are taken as they are.
 */
export function startGranularity(spans: SpanTable, facts: SpanFacts): Float64Array {
  const seen = new Map<number, { spans: number; coarse: number; fineDurations: number }>();
  const phase = Number(spans.baseUnixNs % BigInt(NS_PER_MS));
  for (let row = 0; row < spans.rowCount; row++) {
    let held = seen.get(facts.instance[row]!);
    if (held === undefined) seen.set(facts.instance[row]!, (held = { spans: 0, coarse: 0, fineDurations: 0 }));
    held.spans++;
    if ((spans.startOffsetNs[row]! + phase) % NS_PER_MS === 0) held.coarse++;
    if ((spans.endOffsetNs[row]! - spans.startOffsetNs[row]!) % NS_PER_MS !== 0) held.fineDurations++;
  }
  const granularity = new Float64Array(spans.rowCount);
  for (let row = 0; row < spans.rowCount; row++) {
    const held = seen.get(facts.instance[row]!)!;
    const isCoarse =
      held.spans >= MIN_SPANS && held.coarse >= 0.999 * held.spans && held.fineDurations >= 0.5 * held.spans;
    if (isCoarse) granularity[row] = NS_PER_MS;
  }
  return granularity;
}

/**
 * Moves starts that were cut to whole milliseconds to the earliest time, within
 * the millisecond they may lie in, that lets siblings run one after the other and
 * not before their parent. Siblings that overlap by more than the clock can
 * explain stay concurrent; those that overlap by less are taken as sequential,
 * which they nearly always are: an error of at most the granularity.
 *
 * parents first in `rows`; changes startNs and endNs in place (durations stay) and
 * flags what moved. Only children on their parent's own clock are moved.
 */
export function settleCoarseStarts(tree: {
  readonly rows: Int32Array;
  readonly parent: Int32Array;
  readonly childStart: Int32Array;
  /** those of one parent ascending by row */
  readonly child: Int32Array;
  readonly facts: SpanFacts;
  readonly granularityNs: Float64Array;
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
  readonly flags: Uint16Array;
}): void {
  const { rows, childStart, child, facts, granularityNs, startNs, endNs, flags } = tree;
  const { instance } = facts;
  const usual = usualOffsets(tree, (row) => granularityNs[row]! > 0);
  for (const up of rows) {
    const from = childStart[up]!;
    const to = childStart[up + 1]!;
    if (from === to) continue;
    // Of equal starts those come first that usually do.
    const order = child.slice(from, to).sort((a, b) => startNs[a]! - startNs[b]! || usual[a]! - usual[b]! || a - b);
    let busyUntil = startNs[up]!;
    for (const row of order) {
      if (granularityNs[row] === 0 || instance[row] !== instance[up]) {
        busyUntil = Math.max(busyUntil, endNs[row]!);
        continue;
      }
      const start = startNs[row]!;
      if (busyUntil > start && busyUntil < start + granularityNs[row]!) {
        endNs[row]! += busyUntil - start;
        startNs[row] = busyUntil;
        flags[row]! |= SpanFlag.clockShifted;
      }
      busyUntil = Math.max(busyUntil, endNs[row]!);
    }
  }
}
