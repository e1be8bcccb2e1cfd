import { SpanRole } from "../model/span-facts.ts";
import type { TraceForest } from "../model/trace-forest.ts";

/**
 * Per span row: the span that can have waited for it, -1 for none. That is the nearest span above that ends no
 * earlier (within the tolerance of clocks), with nothing but INTERNAL spans in between: a span of another kind
 * answers its caller when it ends, and nobody waits beyond.
 *
 * Mostly it is the parent. Handlers that end before what they started (Express, Rack) have it further up.
 */
export function spanWaiters(forest: TraceForest): Int32Array {
  const { rows, parent, endNs, toleranceNs, facts } = forest;
  const waiter = new Int32Array(forest.spans.rowCount).fill(-1);
  // Nearest span above that ends no earlier, without tolerance: what lies between ends earlier still, so a search
  // may jump over it. Without the jumps a chain of spans that each outlive their parent would cost n²/2 steps.
  const later = new Int32Array(forest.spans.rowCount).fill(-1);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const up = parent[row]!;
    if (up < 0) continue;
    let at = up;
    const earliestNs = endNs[row]! - toleranceNs[row]!;
    while (at >= 0 && endNs[at]! < earliestNs) at = facts.role[at] === SpanRole.internal ? later[at]! : -1;
    waiter[row] = at;
    while (at >= 0 && endNs[at]! < endNs[row]!) at = facts.role[at] === SpanRole.internal ? later[at]! : -1;
    later[row] = at;
  }
  return waiter;
}

/**
 * Whether `row` is a SERVER that ends a little after its CLIENT although the CLIENT did not fail: the answer was read
 * before the SERVER's instrumentation noticed that it was sent (Node's HTTP servers end their spans so). Nobody gave
 * up. A SERVER that goes on for longer than half of its time is another matter.
 */
export function answersEarly(forest: TraceForest, row: number): boolean {
  const { parent, startNs, endNs, facts } = forest;
  const client = parent[row]!;
  if (client < 0 || facts.role[row] !== SpanRole.server || facts.role[client] !== SpanRole.client) return false;
  const lateNs = endNs[row]! - endNs[client]!;
  return lateNs > 0 && lateNs < (endNs[row]! - startNs[row]!) / 2 && facts.error[client] !== 1;
}
