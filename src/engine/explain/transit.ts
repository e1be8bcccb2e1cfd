import { quantileOf, quantileOfAscending } from "../../analysis/weighted-quantile.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { timeKindId } from "../../model/time-kind.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import { edgeKey, legsByEdge, serverOf } from "../legs.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { oncePerWindow } from "../once-per-window.ts";
import { shareOfTime } from "../share-of-time.ts";
import { ms, times } from "../wording.ts";
import { explainTransitQueue } from "./transit-queue.ts";
import { mapToFloats } from "../../model/map-column.ts";

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
  const transit = mapToFloats(rows, (row) => ownNs[row]!);
  const queue = explainTransitQueue(theCase, spot, rows);
  if (queue !== undefined) return queue;
  const { facts } = window;
  const edge = edgeKey(facts.service[rows[0]!]!, facts.service[serverOf(window, rows[0]!)] ?? -1);
  // Of all calls over the edge: those on a critical path are there because they took long.
  const ascending = transitByEdge(window).get(edge) ?? transit.slice().sort();
  const median = quantileOfAscending(ascending, 0.5);
  const others = otherEdges(theCase, edge);
  const usual = others.length > 0 ? quantileOf(Float64Array.from(others), 0.5) : 1e6;
  // A long way is long for all; where the quickest tenth is quick, the others waited for something on it.
  const quickest = quantileOfAscending(ascending, 0.1);
  const isOutlier =
    median >= LONG_TRANSIT_NS && median >= 4 * usual && quickest >= 0.5 * LONG_TRANSIT_NS && quickest >= 2 * usual;
  const harmful = isOutlier && shareOfTime(view, spot.slowNs, spot.typicalNs) >= 0.1;
  const callee = calleeOf(theCase, spot);
  const factor = Math.min(1, usual / Math.max(median, 1));
  return {
    mechanism: "network-latency",
    kind: "latency",
    subject: { service: callee, operation: spot.operation, resource: `edge:${spot.service}->${callee}` },
    title: `${ms(median)} pass between ${spot.service} and ${callee} on every call`,
    why: `The caller's span is ${ms(median)} longer than the callee's (median of ${ascending.length} calls)${others.length > 0 ? `; on the other edges of this window it is ${ms(usual)}, ${times(median / Math.max(usual, 1))} less` : ""}.`,
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

/** Median of what passes between the two spans on each other edge of the window. */
function otherEdges({ window }: Case, key: string): number[] {
  return [...transitByEdge(window)]
    .filter(([edge]) => edge !== key)
    .map(([, ascending]) => quantileOfAscending(ascending, 0.5));
}

/** Both legs together of all calls of each edge with a few of them, ascending. */
const transitByEdge = oncePerWindow(
  (window): ReadonlyMap<string, Float64Array> =>
    new Map(
      [...legsByEdge(window)]
        .filter(([, { client }]) => client.length >= 5)
        .map(([key, { requestNs, responseNs }]) => [key, requestNs.map((ns, i) => ns + responseNs[i]!).sort()]),
    ),
);

/** Service of the SERVER child, the callee by attribute otherwise. */
export function calleeOf(theCase: Case, spot: HotSpot): string {
  const { forest, facts, text } = theCase.window;
  for (const row of spanRows(theCase.window, spot.node)) {
    if (forest.childStart[row + 1]! > forest.childStart[row]!)
      return text(facts.service[forest.child[forest.childStart[row]!]!]!);
  }
  return spot.callee === "" ? "its callee" : spot.callee;
}
