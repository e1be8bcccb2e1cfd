import { quantileOf, quantileOfAscending } from "../../analysis/weighted-quantile.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { timeKindId } from "../../model/time-kind.ts";
import { exampleTraces, ownTime, spanRows, type Case } from "../case.ts";
import { growthWithInFlight, inFlightCounts, isGrowth, withoutWaiting } from "../contention.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { oncePerWindow } from "../once-per-window.ts";
import { shareOfTime } from "../share-of-time.ts";
import { ms, times } from "../wording.ts";

const TRANSIT = timeKindId("transit");

/** Within a data centre a round trip takes well under this. */
const LONG_TRANSIT_NS = 5e6;

/**
 * Time between a caller's CLIENT span and the callee's SERVER span: the network,
 * and queues before the callee's instrumentation starts (accept queue, busy
 * event loop). An edge whose typical transit is far above the other edges' of
 * the same window is a slow network path; one that is long only for some calls
 * is left to other explanations.
 */
export function explainTransit(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.timeKind !== "transit" || spot.role === SpanRole.producer) return undefined;
  const { window, view, ownNs } = theCase;
  // Calls of which the callee's span is missing would pass for transit all through.
  const rows = spanRows(window, spot.node).filter((row) => ownNs[row]! > 0 && window.kinds[row] === TRANSIT);
  if (rows.length < 5) return undefined;
  const transit = Float64Array.from(rows, (row) => ownNs[row]!);
  const ascending = transit.slice().sort();
  const median = quantileOfAscending(ascending, 0.5);
  const others = otherEdges(theCase, spot);
  const usual = others.length > 0 ? quantileOf(Float64Array.from(others), 0.5) : 1e6;
  const queue = explainQueueing(theCase, spot, rows);
  if (queue !== undefined) return queue;
  const isOutlier = median >= LONG_TRANSIT_NS && median >= 4 * usual;
  const harmful = isOutlier && shareOfTime(view, spot.slowNs, spot.typicalNs) >= 0.1;
  const callee = calleeOf(theCase, spot);
  const factor = Math.min(1, usual / Math.max(median, 1));
  return {
    mechanism: "network-latency",
    kind: "latency",
    subject: { service: callee, operation: spot.operation, resource: `edge:${spot.service}->${callee}` },
    title: `${ms(median)} pass between ${spot.service} and ${callee} on every call`,
    why: `The caller's span is ${ms(median)} longer than the callee's (median of ${rows.length} calls)${others.length > 0 ? `; on the other edges of this window it is ${ms(usual)}, ${times(median / Math.max(usual, 1))} less` : ""}.`,
    confidence: harmful ? 0.8 : 0.15,
    harmful,
    nodes: [spot.node],
    undo: [{ kind: "own-time", rows, ownNs: transit.map((ns) => ns * factor) }],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      {
        claim: `${ms(spot.slowNs)} of it are neither in ${spot.service} nor in ${callee} but between them`,
        evidence: [0, 1],
      },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests over this edge: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `CLIENT spans "${spot.operation}" of ${spot.service} minus their SERVER child`,
      },
      {
        kind: "statistic",
        text: `caller minus callee: median ${ms(median)}, p99 ${ms(quantileOfAscending(ascending, 0.99))}`,
        query: `transit of ${spot.service} -> ${callee}`,
      },
    ],
    counter: [
      "a busy event loop or a full accept queue of the callee looks the same from outside; host metrics would tell",
    ],
    refutedBy: "a ping between the two hosts that is fast while the calls are slow",
    remedy: {
      text: `Look at the path between the two (zone, proxy, DNS, connection set-up on each call) and at the accept queue of ${callee}.`,
    },
  };
}

/**
 * Transit that grows with the calls in flight is no property of the network:
 * requests queue before the callee takes them up (accept queue, busy threads).
 */
function explainQueueing(theCase: Case, spot: HotSpot, rows: Int32Array): Explanation | undefined {
  const { window, view, ownNs } = theCase;
  const counts = inFlightCounts(window);
  const own = Float64Array.from(rows, (row) => ownNs[row]!);
  const growths = [counts.callee, counts.operation].flatMap((column) => {
    const g = growthWithInFlight(
      own,
      Float64Array.from(rows, (row) => column[row]!),
    );
    return g !== undefined && isGrowth(g) && g.crowdedNs >= 3 * g.aloneNs ? [{ g, column }] : [];
  });
  const best = growths.sort((a, b) => b.g.correlation - a.g.correlation)[0];
  if (best === undefined) return undefined;
  const { g, column } = best;
  const callee = calleeOf(theCase, spot);
  const mean = own.reduce((sum, ns) => sum + ns, 0) / own.length;
  const harmful = mean >= 3 * g.aloneNs && shareOfTime(view, spot.slowNs, spot.typicalNs) >= 0.15;
  return {
    mechanism: "thread-starvation",
    kind: "resource",
    subject: { service: callee, resource: "threads" },
    title: `requests queue before ${callee} takes them up: ${ms(g.aloneNs)} alone, ${ms(g.crowdedNs)} with ${Math.round(g.many)} in flight`,
    why: `A call takes ${ms(mean)} on average to get from one service into the other and back, and longer when more calls are in flight (rank correlation ${g.correlation.toFixed(2)}); in that time ${callee} is not yet at work.`,
    confidence: harmful ? Math.min(0.88, 0.55 + 0.4 * g.correlation) : 0.28,
    harmful,
    nodes: [spot.node],
    undo: [
      { kind: "own-time", rows, ownNs: Float64Array.from(rows, (row) => withoutWaiting(ownNs[row]!, column[row]!, g)) },
    ],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${ms(spot.slowNs)} of it pass before ${callee} starts to work`, evidence: [0] },
      { claim: `${callee} has too few workers for the calls in flight`, evidence: [1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests that queue: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `CLIENT spans "${spot.operation}" of ${spot.service} minus their SERVER child`,
      },
      {
        kind: "statistic",
        text: `median ${ms(g.aloneNs)} with up to ${Math.round(g.few)} in flight, ${ms(g.crowdedNs)} with ${Math.round(g.many)} and more`,
        query: `transit of ${spot.service} -> ${callee} against the count in flight`,
      },
    ],
    counter: [
      `an overloaded proxy between the two looks the same; the accept queue and thread pool of ${callee} would settle it`,
    ],
    refutedBy: `idle workers in ${callee} while calls wait`,
    remedy: {
      text: `More workers, threads or instances of ${callee}, or a shorter hold of each: see its thread pool, event-loop delay and listen backlog.`,
    },
  };
}

/** Median transit of every other edge between instrumented services. */
function otherEdges({ window }: Case, spot: HotSpot): number[] {
  const { paths } = window;
  return transitByNode(window)
    .filter(
      ({ node }) => paths.service[node] !== paths.service[spot.node] || paths.callee[node] !== paths.callee[spot.node],
    )
    .map(({ medianNs }) => medianNs);
}

/** Call paths into instrumented services with the median of what passes between the two spans. */
const transitByNode = oncePerWindow((window): { node: number; medianNs: number }[] => {
  const { paths, kinds, segments } = window;
  const own = ownTime(segments, window.spans.rowCount);
  const medians: { node: number; medianNs: number }[] = [];
  for (let node = 0; node < paths.nodeCount; node++) {
    if (paths.role[node] !== SpanRole.client) continue;
    const rows = spanRows(window, node).filter((row) => kinds[row] === TRANSIT);
    if (rows.length >= 5)
      medians.push({
        node,
        medianNs: quantileOf(
          Float64Array.from(rows, (row) => own[row]!),
          0.5,
        ),
      });
  }
  return medians;
});

/** Service of the SERVER child, the callee by attribute otherwise. */
export function calleeOf(theCase: Case, spot: HotSpot): string {
  const { forest, facts, text } = theCase.window;
  for (const row of spanRows(theCase.window, spot.node)) {
    if (forest.childStart[row + 1]! > forest.childStart[row]!)
      return text(facts.service[forest.child[forest.childStart[row]!]!]!);
  }
  return spot.callee === "" ? "its callee" : spot.callee;
}
