import { SpanRole, type SpanFacts } from "../model/span-facts.ts";
import { timeKindId } from "../model/time-kind.ts";
import type { TraceForest } from "../model/trace-forest.ts";

/**
 * Time kind of each span's own part of the critical path, as far as spans alone
 * show it; one id of TIME_KINDS per span row.
 *
 * - pool acquisition: `pool-wait`
 * - CLIENT span with a span of another service below it: `transit` (request and
 *   response leg), without one: `callee`, time inside an uninstrumented service
 * - PRODUCER: `transit`, the hand-over to the broker
 * - everything else was not observed from outside: `unexplained`
 */
export function spanTimeKinds(forest: TraceForest): Uint8Array {
  const { facts, childStart, child } = forest;
  const kinds = new Uint8Array(forest.spans.rowCount);
  for (let row = 0; row < kinds.length; row++) {
    switch (facts.role[row] as SpanRole) {
      case SpanRole.pool:
        kinds[row] = POOL_WAIT;
        break;
      case SpanRole.database:
      case SpanRole.client:
        kinds[row] = callsInto(facts, row, child, childStart) ? TRANSIT : CALLEE;
        break;
      case SpanRole.producer:
        kinds[row] = TRANSIT;
        break;
      case SpanRole.internal:
      case SpanRole.server:
      case SpanRole.consumer:
        kinds[row] = UNEXPLAINED;
    }
  }
  return kinds;
}

export const POOL_WAIT: number = timeKindId("pool-wait");
export const CALLEE: number = timeKindId("callee");
export const TRANSIT: number = timeKindId("transit");
export const UNEXPLAINED: number = timeKindId("unexplained");

/** Whether a call's other side was instrumented: a child of another service, or a SERVER span. */
function callsInto(facts: SpanFacts, row: number, child: Int32Array, childStart: Int32Array): boolean {
  for (let i = childStart[row]!; i < childStart[row + 1]!; i++) {
    const role = facts.role[child[i]!];
    if (role === SpanRole.server || role === SpanRole.consumer || facts.service[child[i]!] !== facts.service[row]) {
      return true;
    }
  }
  return false;
}
