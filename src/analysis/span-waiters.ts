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
