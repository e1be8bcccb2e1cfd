import { inFlightAtStart, openAtStart, orderSpans } from "../analysis/in-flight.ts";
import { rankCorrelation } from "../analysis/rank-correlation.ts";
import { quantileOf, quantileOfAscending } from "../analysis/weighted-quantile.ts";
import { SpanRole } from "../model/span-facts.ts";
import { oncePerWindow } from "./once-per-window.ts";
import type { Window } from "./window.ts";
import { mapToInts } from "../model/map-column.ts";

/** How a column of own times grows with the number of others in flight. */
export interface Growth {
  /** rank correlation of time and count; NaN where the crowded take hardly longer */
  readonly correlation: number;
  /** median where few others are in flight: what the work takes by itself */
  readonly aloneNs: number;
  /** median where many are */
  readonly crowdedNs: number;
  /** in-flight counts that "few" and "many" stand for */
  readonly few: number;
  readonly many: number;
}

/**
 * Own time of spans against the in-flight count they met: medians of the quarter
 * with the fewest and of the tenth with the most others, and the rank
 * correlation over all. Undefined when the count hardly varies or rows are few.
 */
export function growthWithInFlight(ownNs: Float64Array, inFlight: Float64Array): Growth | undefined {
  if (ownNs.length < 100) return undefined;
  const ascending = inFlight.slice().sort();
  const few = quantileOfAscending(ascending, 0.25);
  const many = quantileOfAscending(ascending, 0.9);
  if (many < few + 2) return undefined;
  const medianWhere = (keep: (count: number) => boolean): number => {
    const kept = ownNs.filter((_, i) => keep(inFlight[i]!));
    return kept.length < 10 ? Number.NaN : quantileOf(kept, 0.5);
  };
  const aloneNs = medianWhere((count) => count <= few);
  const crowdedNs = medianWhere((count) => count >= many);
  if (Number.isNaN(aloneNs) || Number.isNaN(crowdedNs)) return undefined;
  // Where the crowded take no longer nobody asks how closely the two go together, and ranks are dear.
  const correlation = waits(aloneNs, crowdedNs) ? rankCorrelation(ownNs, inFlight) : Number.NaN;
  return { correlation, aloneNs, crowdedNs, few, many };
}

/** Rank correlation of own time and in-flight below which nothing is read into it. */
const MIN_CORRELATION = 0.35;
/** How much longer the crowded have to take. */
const MIN_GROWTH = 1.8;

const waits = (aloneNs: number, crowdedNs: number): boolean => crowdedNs >= MIN_GROWTH * Math.max(1e5, aloneNs);

/** Whether the crowded wait; differences under 0.1 ms are not looked at. */
export const isGrowth = (g: Growth): boolean => g.correlation >= MIN_CORRELATION && waits(g.aloneNs, g.crowdedNs);

/** Time at an in-flight count by the line from `few` to `many`: robust against outliers that have other reasons. */
export function expectedNs(inFlight: number, g: Growth): number {
  const above = Math.max(0, inFlight - g.few) / Math.max(1, g.many - g.few);
  return g.aloneNs + Math.min(1.5, above) * Math.max(0, g.crowdedNs - g.aloneNs);
}

/** What a row's own time would be without the others in flight, by the line between `few` and `many`. */
export function withoutWaiting(ownNs: number, inFlight: number, g: Growth): number {
  return (ownNs * g.aloneNs) / Math.max(1, expectedNs(inFlight, g));
}

/** In-flight counts that explanations look at, each computed once per window. */
export interface InFlightCounts {
  /** requests (SERVER, CONSUMER) open in the span's process */
  readonly process: Int32Array;
  /** spans of the same service, operation and instance */
  readonly operation: Int32Array;
  /** calls of the same callee, from wherever */
  readonly callee: Int32Array;
  /** calls of the same callee with the same statement or operation */
  readonly statement: Int32Array;
}

/** One count per span row: how many others it found in flight when it started. */
export const inFlightCounts: (window: Window) => InFlightCounts = oncePerWindow((window) => {
  const { facts, forest, paths } = window;
  const n = window.spans.rowCount;
  const ofNode = (key: (node: number) => string): Int32Array => {
    const ids = new Map<string, number>();
    return mapToInts({ length: paths.nodeCount }, (_, node) => idOf(ids, key(node)));
  };
  const work = ofNode((node) => `${paths.service[node]} ${paths.operation[node]} ${paths.role[node]}`);
  const request = ofNode((node) => `${paths.callee[node]} ${paths.operation[node]} ${paths.statement[node]}`);
  const workOfInstance = new Map<number, number>();
  const operation = new Int32Array(n).fill(-1);
  const statement = new Int32Array(n).fill(-1);
  for (const row of forest.rows) {
    const node = paths.nodeOfRow[row]!;
    // Instances are string ids, below 2^31: instance and node make an exact key.
    operation[row] = idOf(workOfInstance, facts.instance[row]! * paths.nodeCount + work[node]!);
    statement[row] = request[node]!;
  }
  // A duplicate is no second span in flight: without a length it counts for nobody.
  const endNs = forest.endNs.map((end, row) => (forest.trace[row]! < 0 ? forest.startNs[row]! : end));
  const orders = orderSpans(forest.startNs, endNs);
  return {
    process: openAtStart(forest.startNs, endNs, facts.instance, isEntry(window), orders),
    operation: inFlightAtStart(forest.startNs, endNs, operation, orders),
    callee: inFlightAtStart(forest.startNs, endNs, facts.callee, orders),
    statement: inFlightAtStart(forest.startNs, endNs, statement, orders),
  };
});

function idOf<K>(ids: Map<K, number>, key: K): number {
  let id = ids.get(key);
  if (id === undefined) ids.set(key, (id = ids.size));
  return id;
}

/** 1 for requests that arrive at a process: entries count, whatever else the process does does not; nor do duplicates. */
const isEntry = ({ facts, forest }: Window): Uint8Array =>
  facts.role.map((role, row) =>
    (role === SpanRole.server || role === SpanRole.consumer) && forest.trace[row]! >= 0 ? 1 : 0,
  );
