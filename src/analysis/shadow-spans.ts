import type { CallPaths } from "../model/call-paths.ts";
import { SpanRole } from "../model/span-facts.ts";
import type { TraceForest } from "../model/trace-forest.ts";

/** Parents that must show it, and the share of them. */
const MIN_PARENTS = 20;
const MIN_SHARE = 0.9;
/** How far the two ends may be apart, as a share of the call's duration. */
const END_SLACK = 0.05;
const END_SLACK_NS = 1e6;

/**
 * Per call-path node: 1 where its spans only wrap a sibling call. An INTERNAL span
 * without children that starts before a CLIENT span of the same parent and ends
 * with it is the frame around that call whose context was lost on the way
 * (reactive gateways: a handler that subscribes). It does no work of its own and
 * ends because the call does, so in a replay it must not hold the parent up.
 */
export function shadowNodes(forest: TraceForest, paths: CallPaths): Uint8Array {
  const { childStart, child, startNs, endNs, facts } = forest;
  const seen = new Int32Array(paths.nodeCount);
  const wrapping = new Int32Array(paths.nodeCount);
  for (const up of forest.rows) {
    const from = childStart[up]!;
    const to = childStart[up + 1]!;
    if (to - from < 2) continue;
    for (let i = from; i < to; i++) {
      const row = child[i]!;
      if (facts.role[row] !== SpanRole.internal || childStart[row] !== childStart[row + 1]) continue;
      let calls = false;
      let wraps = false;
      for (let j = from; j < to && !wraps; j++) {
        const call = child[j]!;
        if (facts.role[call] !== SpanRole.client) continue;
        calls = true;
        const slack = Math.max(END_SLACK_NS, END_SLACK * (endNs[call]! - startNs[call]!));
        wraps =
          startNs[row]! <= startNs[call]! &&
          Math.abs(endNs[row]! - endNs[call]!) <= slack &&
          endNs[call]! > startNs[call]!;
      }
      if (!calls) continue;
      const node = paths.nodeOfRow[row]!;
      seen[node]!++;
      if (wraps) wrapping[node]!++;
    }
  }
  return Uint8Array.from(seen, (count, node) => (count >= MIN_PARENTS && wrapping[node]! >= MIN_SHARE * count ? 1 : 0));
}
