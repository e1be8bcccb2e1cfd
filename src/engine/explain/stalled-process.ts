import { ascendingOrder } from "../../analysis/ascending-order.ts";
import { findStalls, timeWithin, type Stall } from "../../analysis/stalls.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { quantileOf } from "../../analysis/weighted-quantile.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import { inFlightCounts } from "../contention.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { oncePerWindow } from "../once-per-window.ts";
import { count, ms, percent, plural } from "../wording.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** A pause below this does not hurt a request. */
const MIN_STALL_NS = 5e6;

/**
 * All requests of a process stand still at the same time: its event loop is
 * blocked, or the runtime stops the world to collect garbage. Where one
 * operation is running its own code in nearly every stall, it is what blocks.
 */
export function explainStalls(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.timeKind !== "unexplained") return undefined;
  const { window, view, ownNs } = theCase;
  const instances = instancesOf(theCase, spot);
  const stalls = instances
    .map((instance) => ({ instance, stalls: stallsOf(theCase, instance) }))
    .filter((i) => i.stalls.length >= 3);
  if (stalls.length === 0) return undefined;
  const all = stalls.flatMap((i) => i.stalls);
  const total = all.reduce((sum, stall) => sum + stall.toNs - stall.fromNs, 0);
  const hit = stalledTime(theCase, spot, new Map(stalls.map((i) => [i.instance, i.stalls])));
  // The slow requests' own time has to lie in the stalls, and far more of it than of the typical ones.
  if (hit.slowShare < 0.2 || hit.slowShare < 3 * hit.typicalShare) return undefined;
  // A process that stands still for much of the time is busy, not paused.
  if (total > MAX_STALLED * spanOfWindow(theCase) * stalls.length) return undefined;
  const longest = all.reduce((most, stall) => Math.max(most, stall.toNs - stall.fromNs), 0);
  const blocker = blockerOf(theCase, stalls);
  const where = stalls.length === 1 ? `on ${window.text(stalls[0]!.instance)}` : `on ${stalls.length} instances`;
  const excess = spot.slowNs * hit.slowShare;
  const harmful = excess >= 0.1 * view.p99;
  const rows = spanRows(window, spot.node).filter((row) => ownNs[row]! > 0);
  return {
    mechanism: blocker === undefined ? "garbage-collection" : "event-loop-blocked",
    kind: "latency",
    subject: {
      service: spot.service,
      ...(blocker === undefined ? {} : { operation: blocker.operation }),
      resource: blocker === undefined ? "runtime" : "event-loop",
      ...(stalls.length === 1 ? { instance: window.text(stalls[0]!.instance) } : {}),
    },
    title:
      blocker === undefined
        ? `${spot.service} stands still ${all.length === 1 ? "once" : `${count(all.length)} times`}, up to ${ms(longest)}: all its requests stop at once`
        : `${blocker.operation} blocks ${spot.service}: all other requests stop for up to ${ms(longest)} while it runs`,
    why: `${where} nothing started or ended for ${ms(total / all.length)} on average while three or more requests were open, ${all.length === 1 ? "once" : `${count(all.length)} times`}; ${percent(hit.slowShare)} of the slow requests' own time in ${spot.operation} lies in these pauses, ${percent(hit.typicalShare)} of the typical ones'.${blocker === undefined ? "" : ` ${blocker.operation} was running in ${percent(blocker.share)} of them.`}`,
    confidence: harmful ? (hit.slowShare >= 0.4 ? 0.92 : 0.8) : 0.35,
    harmful,
    nodes: [spot.node],
    undo: [
      {
        kind: "own-time",
        rows,
        ownNs: mapToFloats(rows, (row) => Math.max(0, ownNs[row]! - (hit.stalledNs.get(row) ?? 0))),
      },
    ],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      {
        claim: `${spot.service} ${spot.operation}: ${ms(spot.slowNs)} of its own, ${percent(hit.slowShare)} of it standing still`,
        evidence: [0],
      },
      {
        claim:
          blocker === undefined
            ? "the whole process pauses: a stop-the-world collection or a synchronous section"
            : `${blocker.operation} holds the only thread`,
        evidence: [1],
      },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests in a pause: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `spans of ${spot.service} without any start or end for ${ms(MIN_STALL_NS)} and more`,
      },
      {
        kind: "statistic",
        text: `${plural(all.length, "pause")}, ${ms(total / all.length)} on average, ${ms(longest)} at most`,
        query: `gaps between span starts and ends per instance of ${spot.service} while 3 or more are open`,
      },
    ],
    counter: [
      blocker === undefined
        ? "garbage collection, a synchronous call and a CPU taken away by the host look alike in traces; runtime metrics tell them apart"
        : "that it blocks is read from its running in every pause",
    ],
    refutedBy:
      blocker === undefined
        ? "runtime metrics with short collections and a short event-loop delay in these times"
        : `the pauses stay when ${blocker.operation} is not called`,
    remedy:
      blocker === undefined
        ? {
            text: `Look at the garbage-collection and event-loop metrics of ${spot.service} in these pauses; allocate less, or give the heap more room.`,
          }
        : {
            text: `Move the computation of ${blocker.operation} off the event loop (worker thread), or cut it into pieces.`,
          },
  };
}

/** Share of the window above which long gaps are how the process works: a queue before one busy thread. */
const MAX_STALLED = 0.17;

function spanOfWindow({ window: { forest } }: Case): number {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const [trace, row] of forest.root.entries()) {
    if (forest.complete[trace] !== 1) continue;
    first = Math.min(first, forest.startNs[row]!);
    last = Math.max(last, forest.endNs[row]!);
  }
  return last - first;
}

function instancesOf(theCase: Case, spot: HotSpot): number[] {
  const { facts } = theCase.window;
  return [...new Set(Array.from(spanRows(theCase.window, spot.node), (row) => facts.instance[row]!))];
}

/** Rows of a process by its instance, and the stalls found in them. */
interface Process {
  readonly rows: Int32Array;
  stalls?: Stall[];
}

const processesOf = oncePerWindow(({ forest, facts }): ReadonlyMap<number, Process> => {
  const counts = new Map<number, number>();
  for (const row of forest.rows) counts.set(facts.instance[row]!, (counts.get(facts.instance[row]!) ?? 0) + 1);
  const processes = new Map([...counts].map(([instance, n]) => [instance, { rows: new Int32Array(n) }]));
  const next = new Map<number, number>();
  for (const row of forest.rows) {
    const instance = facts.instance[row]!;
    const at = next.get(instance) ?? 0;
    processes.get(instance)!.rows[at] = row;
    next.set(instance, at + 1);
  }
  return processes;
});

/** Stalls of an instance, found once per window. */
function stallsOf(theCase: Case, instance: number): Stall[] {
  const { window } = theCase;
  const process = processesOf(window).get(instance)!;
  if (process.stalls === undefined) {
    const shortest = Math.max(MIN_STALL_NS, LONGER_THAN_WORK * usualWork(theCase, process.rows));
    process.stalls = findStalls(process.rows, window.forest.startNs, window.forest.endNs, entriesOf(window), shortest);
  }
  return process.stalls;
}

/** A gap has to be longer than ordinary work: one request that computes for long holds up a busy thread as well. */
const LONGER_THAN_WORK = 1.5;

/** 95th percentile of the own time of a process's spans while it has little else to do. */
function usualWork(theCase: Case, rows: Int32Array): number {
  const { process } = inFlightCounts(theCase.window);
  const own = mapToFloats(
    rows.filter((row) => process[row]! <= 1 && theCase.ownNs[row]! > 0),
    (row) => theCase.ownNs[row]!,
  );
  return own.length < 20 ? 0 : quantileOf(own, 0.95);
}

/** Per span row: 1 for requests that arrive at their process. */
const entriesOf = oncePerWindow((window): Uint8Array =>
  window.facts.role.map((role) => (role === SpanRole.server || role === SpanRole.consumer ? 1 : 0)),
);

/** How much of the own time of the node's spans lies in stalls of their instance. */
function stalledTime(
  theCase: Case,
  spot: HotSpot,
  stalls: ReadonlyMap<number, Stall[]>,
): { stalledNs: ReadonlyMap<number, number>; slowShare: number; typicalShare: number } {
  const { window, view } = theCase;
  const { facts, segments, paths } = window;
  const stalledNs = new Map<number, number>();
  const share = (traces: Int32Array): number => {
    let own = 0;
    let stalled = 0;
    for (const trace of traces) {
      for (let i = segments.traceStart[trace]!; i < segments.traceStart[trace + 1]!; i++) {
        const row = segments.row[i]!;
        if (paths.nodeOfRow[row] !== spot.node) continue;
        own += segments.endNs[i]! - segments.startNs[i]!;
        stalled += timeWithin(stalls.get(facts.instance[row]!) ?? [], segments.startNs[i]!, segments.endNs[i]!);
      }
    }
    return own === 0 ? 0 : stalled / own;
  };
  // A call path belongs to one endpoint: its spans are in no other traces.
  for (const trace of view.endpoint.traces) {
    for (let i = segments.traceStart[trace]!; i < segments.traceStart[trace + 1]!; i++) {
      const row = segments.row[i]!;
      if (paths.nodeOfRow[row] !== spot.node) continue;
      const ns = timeWithin(stalls.get(facts.instance[row]!) ?? [], segments.startNs[i]!, segments.endNs[i]!);
      if (ns > 0) stalledNs.set(row, (stalledNs.get(row) ?? 0) + ns);
    }
  }
  return { stalledNs, slowShare: share(view.slow), typicalShare: share(view.typical) };
}

/** The operation that ends at the end of most stalls and ran alone through them: it held the thread. */
function blockerOf(
  theCase: Case,
  found: readonly { instance: number; stalls: Stall[] }[],
): { operation: string; share: number } | undefined {
  const { window } = theCase;
  const { forest, facts } = window;
  const ends = new Map<number, number>();
  let total = 0;
  for (const { instance, stalls } of found) {
    const unsorted = processesOf(window).get(instance)!.rows;
    const rows = ascendingOrder(mapToFloats(unsorted, (row) => forest.endNs[row]!)).map((i) => unsorted[i]!);
    for (const stall of stalls) {
      total++;
      const row = firstEndingAt(rows, forest.endNs, stall.toNs);
      if (row < 0 || forest.startNs[row]! > stall.fromNs + 0.1 * (stall.toNs - stall.fromNs)) continue;
      const operation = facts.operation[row]!;
      ends.set(operation, (ends.get(operation) ?? 0) + 1);
    }
  }
  const [best] = [...ends].sort((a, b) => b[1] - a[1] || (window.text(a[0]) < window.text(b[0]) ? -1 : 1));
  if (best === undefined || best[1] < 0.7 * total) return undefined;
  // An operation that is most of what the process does ends most stalls by chance: it has to be over-represented.
  let all = 0;
  let ofBest = 0;
  for (const { instance } of found) {
    const { rows } = processesOf(window).get(instance)!;
    all += rows.length;
    for (const row of rows) if (facts.operation[row] === best[0]) ofBest++;
  }
  const usual = ofBest / all;
  return best[1] / total >= 2 * usual ? { operation: window.text(best[0]), share: best[1] / total } : undefined;
}

/** Row of the ascending-by-end `rows` that ends within 0.2 ms of `atNs`; -1 when none does. */
function firstEndingAt(rows: Int32Array, endNs: Float64Array, atNs: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endNs[rows[middle]!]! < atNs - 2e5) low = middle + 1;
    else high = middle;
  }
  return low < rows.length && endNs[rows[low]!]! <= atNs + 2e5 ? rows[low]! : -1;
}
