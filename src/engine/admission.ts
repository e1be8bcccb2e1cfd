import { SpanRole } from "../model/span-facts.ts";
import { connectionUse, type ConnectionUse } from "./connections.ts";
import type { Legs } from "./legs.ts";
import { oncePerWindow } from "./once-per-window.ts";
import { medianOf } from "./sibling-calls.ts";
import type { Window } from "./window.ts";
import { mapToFloats } from "../model/map-column.ts";

/** A number of requests that are let into a service at once; the next one waits until one of them has gone. */
export interface Admission {
  /** per instance of the callee */
  readonly limit: number;
  /** who keeps the others waiting: the callee's workers, or the connections that the caller allows itself */
  readonly by: "callee" | "caller";
  /** share of the requests that had waited and began with the limit just reached */
  readonly atLimit: number;
  /** the connections that calls came by, where they tell who keeps the others waiting */
  readonly connections?: ConnectionUse;
}

/** Fewest requests that waited from which a limit is read. */
const MIN_WAITED = 20;
/** What waits for a place begins when one comes free, so that all are taken again. Less than this many of them do: no limit. */
const MIN_AT_LIMIT = 0.8;
/** The step of a clock may show one more than there are places, for moments; two more it does not. */
const MAX_ONE_ABOVE = 0.2;
/** Where there is little to do one request is inside most of the time, with or without a limit: hardly ever may it be two. */
const MAX_ABOVE_ONE = 0.02;
const MAX_ABOVE = 0.005;
/** Connections that are kept carry many requests each; those that carry fewer are open one after another, whoever limits what. */
const MIN_PER_CONNECTION = 5;

/**
 * Whether requests that waited on the way into a service waited for one of a fixed number of places. Then each of them
 * begins at the moment at which another ends: with it, just as many are inside as there are places. Before a busy
 * event loop, or on a busy host, requests begin with any number of others inside.
 *
 * legs: calls of one edge; waited: which of them waited; aloneNs: what a call takes on the way there and back without
 * waiting. Who limits shows in the connections, where the callee's spans tell them: a caller that keeps its connections
 * opens one more for a call that finds all of them taken, unless it may not. Otherwise in the time between: when a place
 * comes free at the callee, the next request is there already and begins at once. Where the caller holds it back, the
 * answer has to reach the caller first, and the request the callee after that.
 */
export function admissionLimit(
  window: Window,
  legs: Legs,
  waited: (i: number) => boolean,
  aloneNs: number,
): Admission | undefined {
  const { forest, facts } = window;
  const servers = Array.from(legs.server).filter((_, i) => waited(i));
  if (servers.length < MIN_WAITED) return undefined;
  const inside = servers.map((row) => insideAt(window, row));
  const limit = medianOf(inside);
  const atLimit = inside.filter((n) => n === limit).length / inside.length;
  if (atLimit < MIN_AT_LIMIT) return undefined;
  const instances = new Set(servers.map((row) => facts.instance[row]!));
  const all = [...instances].flatMap((instance) =>
    entriesByInstance(window)
      .get(instance)!
      .rows.map((row) => insideAt(window, row)),
  );
  const above = (n: number): number => all.filter((count) => count > n).length / all.length;
  if (above(limit) > (limit === 1 ? MAX_ABOVE_ONE : MAX_ONE_ABOVE) || above(limit + 1) > MAX_ABOVE) return undefined;
  const gaps = servers.map((row) => emptyBefore(window, row));
  // On the way back of one answer and the way there of the next nobody is inside; longer than that a place is not left empty.
  const prompt = gaps.filter((gap, i) => gap <= 2 * aloneNs + forest.toleranceNs[servers[i]!]!).length;
  if (prompt < MIN_AT_LIMIT * gaps.length) return undefined;
  const connections = connectionUse(window, legs);
  const by = limitedBy(connections, limit);
  if (by !== undefined) return { limit, atLimit, by, connections };
  return { limit, atLimit, by: medianOf(gaps) >= 0.5 * Math.max(aloneNs, 1) ? "caller" : "callee" };
}

/** From the last end of another request in the instance until `row` begins; infinite for the first. */
function emptyBefore(window: Window, row: number): number {
  const { forest, facts } = window;
  const { endNs } = entriesByInstance(window).get(facts.instance[row]!)!;
  const start = forest.startNs[row]!;
  const last = countUpTo(endNs, start + forest.toleranceNs[row]!) - 1;
  // One that is shorter than the clock's step is not its own predecessor.
  const before = endNs[last] === forest.endNs[row]! ? endNs[last - 1] : endNs[last];
  return before === undefined ? Number.POSITIVE_INFINITY : start - before;
}

/** Undefined where connections are not told, not kept, shared by requests, or no more calls were open than they carry. */
function limitedBy(connections: ConnectionUse, limit: number): Admission["by"] | undefined {
  const { requests, connections: opened, atOnce, callsAtOnce, isOneByOne } = connections;
  if (opened === 0 || requests < MIN_PER_CONNECTION * opened || !isOneByOne || callsAtOnce <= limit) return undefined;
  return atOnce <= limit ? "caller" : "callee";
}

interface Entries {
  /** by start */
  readonly rows: readonly number[];
  /** ascending */
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
}

const entriesByInstance = oncePerWindow(({ facts, forest }): ReadonlyMap<number, Entries> => {
  const rows = new Map<number, number[]>();
  for (const row of forest.rows) {
    if (facts.role[row] !== SpanRole.server && facts.role[row] !== SpanRole.consumer) continue;
    const held = rows.get(facts.instance[row]!);
    if (held === undefined) rows.set(facts.instance[row]!, [row]);
    else held.push(row);
  }
  return new Map(
    [...rows].map(([instance, list]) => {
      const byStart = list.toSorted((a, b) => forest.startNs[a]! - forest.startNs[b]!);
      const startNs = mapToFloats(byStart, (row) => forest.startNs[row]!);
      return [instance, { rows: byStart, startNs, endNs: mapToFloats(list, (row) => forest.endNs[row]!).sort() }];
    }),
  );
});

/**
 * Requests inside the instance when `row` begins, itself included; another that ends within the clock's step has gone.
 * A request that is itself shorter than that step is inside all the same, with those that began in an earlier step.
 */
function insideAt(window: Window, row: number): number {
  const { forest, facts } = window;
  const entries = entriesByInstance(window).get(facts.instance[row]!);
  if (entries === undefined) return 0;
  const { rows, startNs, endNs } = entries;
  const at = forest.startNs[row]!;
  const goneNs = at + forest.toleranceNs[row]!;
  const gone = countUpTo(endNs, goneNs);
  const begun = countUpTo(startNs, at);
  if (forest.endNs[row]! > goneNs) return begun - gone;
  let earlier = begun;
  while (earlier > 0 && startNs[earlier - 1]! === at) earlier--;
  let goneEarlier = gone;
  for (let i = earlier; i < rows.length && startNs[i]! <= goneNs; i++)
    if (forest.endNs[rows[i]!]! <= goneNs) goneEarlier--;
  return 1 + earlier - goneEarlier;
}

/** How many of the ascending values are at most `at`. */
function countUpTo(ascending: Float64Array, at: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}
