import { quantileOf } from "../../analysis/weighted-quantile.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { nodesOfService } from "../path-index.ts";
import type { Window } from "../window.ts";
import { ms, percent, times } from "../wording.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** Spans an instance needs before it is compared. */
const MIN_SPANS = 20;
/** How much slower than its peers an instance has to be. */
const SLOWER = 1.8;

/**
 * One instance of a service does the same work much slower than its peers. The
 * others' median is what the work takes; the rest is the instance.
 */
export function explainStraggler(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.timeKind !== "unexplained") return undefined;
  const { window, view, ownNs } = theCase;
  const { facts } = window;
  const byInstance = new Map<number, number[]>();
  const nodes = sameWork(window, spot.node);
  for (const row of nodes.flatMap((node) => [...spanRows(window, node)])) {
    if (ownNs[row] === 0) continue;
    const held = byInstance.get(facts.instance[row]!);
    if (held === undefined) byInstance.set(facts.instance[row]!, [row]);
    else held.push(row);
  }
  const instances = [...byInstance].filter(([, rows]) => rows.length >= MIN_SPANS);
  if (instances.length < 2) return undefined;
  const medians = instances.map(([instance, rows]) => ({
    instance,
    rows,
    median: quantileOf(
      mapToFloats(rows, (row) => ownNs[row]!),
      0.5,
    ),
  }));
  medians.sort((a, b) => b.median - a.median);
  const slowest = medians[0]!;
  const peers = medians.slice(1);
  const peerMedian = quantileOf(
    mapToFloats(peers, (peer) => peer.median),
    0.5,
  );
  const slowestPeer = peers[0]!.median;
  if (peerMedian <= 0 || slowest.median < SLOWER * peerMedian || slowest.median < 1.4 * slowestPeer) return undefined;
  const total = instances.reduce((sum, [, rows]) => sum + rows.length, 0);
  const name = window.text(slowest.instance);
  const host = window.text(facts.host[slowest.rows[0]!]!);
  const factor = peerMedian / slowest.median;
  const excess = slowest.median - peerMedian;
  const harmful = excess >= 1e6 && spot.slowNs >= 0.1 * view.p99;
  return {
    mechanism: "straggler",
    kind: "latency",
    subject: { service: spot.service, operation: spot.operation, instance: name, ...(host === name ? {} : { host }) },
    title: `one instance of ${spot.service} is ${times(slowest.median / peerMedian)} as slow as its ${peers.length === 1 ? "peer" : `${peers.length} peers`}: ${name}`,
    why: `${spot.operation} takes ${ms(slowest.median)} (median of its own time) on ${name} and ${ms(peerMedian)} on the others; ${percent(slowest.rows.length / total)} of the calls go there.`,
    // Twice as slow may be a busier instance; ten times is not.
    confidence: harmful ? Math.min(0.92, 0.6 + 0.1 * (slowest.median / peerMedian)) : 0.3,
    harmful,
    nodes,
    undo: [
      {
        kind: "own-time",
        rows: Int32Array.from(slowest.rows),
        ownNs: mapToFloats(slowest.rows, (row) => ownNs[row]! * factor),
      },
    ],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${spot.service} ${spot.operation} takes ${ms(spot.slowNs)} of it`, evidence: [0] },
      { claim: `only on ${name}: ${ms(slowest.median)} against ${ms(peerMedian)}`, evidence: [1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests through it: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `spans of ${spot.service} with service.instance.id = ${name}`,
      },
      {
        kind: "statistic",
        text: medians
          .map((m) => `${window.text(m.instance)}: median ${ms(m.median)} (${m.rows.length} spans)`)
          .slice(0, 6)
          .join("; "),
        query: `own time of ${spot.operation} by instance`,
      },
    ],
    counter: [],
    refutedBy: `${name} is as fast as its peers when it gets the same requests`,
    remedy: { text: `Take ${name} out of rotation and compare its host, version and configuration with its peers'.` },
  };
}

/**
 * Call paths of an endpoint that lead to the same work: where callers name each instance by its address, every instance
 * has a path of its own.
 */
function sameWork(window: Window, node: number): number[] {
  const { service, operation, role } = window.paths;
  const endpoint = rootOf(window, node);
  return nodesOfService(window, service[node]!).filter(
    (other) => operation[other] === operation[node] && role[other] === role[node] && rootOf(window, other) === endpoint,
  );
}

function rootOf({ paths }: Window, node: number): number {
  let root = node;
  while (paths.parent[root]! >= 0) root = paths.parent[root]!;
  return root;
}
