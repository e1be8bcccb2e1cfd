import { SpanRole } from "../../model/span-facts.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { siblingNodes } from "../path-index.ts";
import { ms, percent } from "../wording.ts";

/**
 * A call that only some requests make, after they asked a cache: the requests
 * that make it are the slow ones. The cache is recognised by its call before.
 */
export function explainCacheMiss(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.role !== SpanRole.database && spot.role !== SpanRole.client) return undefined;
  const { window, view } = theCase;
  const { paths, forest } = window;
  const parentNode = paths.parent[spot.node]!;
  if (parentNode < 0) return undefined;
  const cache = cacheSibling(theCase, spot.node);
  if (cache < 0) return undefined;
  const parents = spanRows(window, parentNode).length;
  const withCall = new Set(Array.from(spanRows(window, spot.node), (row) => forest.parent[row]!)).size;
  const missRatio = withCall / Math.max(1, parents);
  const inSlow = shareOfTraces(theCase, spot.node, view.slow);
  if (missRatio <= 0 || missRatio > 0.95 || inSlow < 0.5 || spot.slowNs < 1.5 * spot.meanNs) return undefined;
  const cacheName = window.text(paths.operation[cache]!);
  const harmful = spot.slowNs - spot.typicalNs >= 0.15 * view.p99 && missRatio >= 0.3;
  return {
    mechanism: "cache-miss",
    kind: "latency",
    subject: {
      service: spot.service,
      operation: spot.operation,
      resource: `cache:${cacheName}`,
      ...(spot.statement === "" ? {} : { statement: spot.statement }),
    },
    title: `${percent(missRatio)} of the requests miss ${spot.service}'s cache and pay ${ms(spot.slowNs)} for ${spot.operation}`,
    why: `${cacheName} is asked first; ${percent(missRatio)} of the requests then call ${spot.operation}, and ${percent(inSlow)} of the slow requests are among them.`,
    confidence: harmful ? 0.7 : 0.3,
    harmful,
    nodes: [spot.node],
    undo: [
      {
        kind: "change",
        change: { kind: "cache", service: spot.service, operation: spot.operation, hitRatio: 0.9 },
        nodes: [spot.node],
      },
    ],
    whatIf: `service=${spot.service},operation=${spot.operation},cache=0.9`,
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${percent(inSlow)} of the slow requests go on to ${spot.operation} after ${cacheName}`, evidence: [0] },
      { claim: `the cache answers only ${percent(1 - missRatio)} of the requests`, evidence: [1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests that missed: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `traces with "${spot.operation}" under ${spot.service}`,
      },
      {
        kind: "statistic",
        text: `${withCall} of ${parents} requests make the call: a hit ratio of ${percent(1 - missRatio)}`,
        query: `share of parents of "${cacheName}" that also have "${spot.operation}"`,
      },
    ],
    counter: ["what hit ratio is normal here does not show without a baseline"],
    refutedBy: "the hit ratio was as low when the endpoint was fast",
    remedy: {
      text: "Find out why entries are missing (expiry, size, a key that varies, a cold start); let one request refill an entry while the others wait for it. The prediction is for nine of ten of these calls answered by the cache.",
    },
  };
}

/** A sibling call before the node that reads a cache; -1 when there is none. */
function cacheSibling(theCase: Case, node: number): number {
  const { paths, text } = theCase.window;
  for (const other of siblingNodes(theCase.window, node)) {
    if (other === node) continue;
    const words = `${text(paths.operation[other]!)} ${paths.callee[other]! < 0 ? "" : text(paths.callee[other]!)}`;
    if (
      /\b(?:redis|memcached?|valkey|cache)\b|cache/i.test(words) &&
      spanRows(theCase.window, other).length > spanRows(theCase.window, node).length
    )
      return other;
  }
  return -1;
}

function shareOfTraces(theCase: Case, node: number, traces: Int32Array): number {
  const { forest } = theCase.window;
  const having = new Set(Array.from(spanRows(theCase.window, node), (row) => forest.trace[row]!));
  return traces.length === 0 ? 0 : traces.reduce((sum, trace) => sum + (having.has(trace) ? 1 : 0), 0) / traces.length;
}
