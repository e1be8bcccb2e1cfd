import type { Case } from "./case.ts";
import { explainCacheMiss } from "./explain/cache-miss.ts";
import { explainContention } from "./explain/contention.ts";
import { explainExternal } from "./explain/external.ts";
import { explainRetries, explainTimeouts } from "./explain/failed-calls.ts";
import { explainOwnCode } from "./explain/own-code.ts";
import { explainPoolWait } from "./explain/pool-wait.ts";
import { explainRepeatedCalls } from "./explain/repeated-calls.ts";
import { explainSlowStatement } from "./explain/slow-statement.ts";
import { explainStalls } from "./explain/stalled-process.ts";
import { explainStraggler } from "./explain/straggler.ts";
import { explainTransit } from "./explain/transit.ts";
import type { Explanation, HotSpot } from "./hot-spot.ts";

type Explain = (theCase: Case, spot: HotSpot) => Explanation | undefined;

/** Everything that may explain a hot spot; the order only breaks ties. */
const EXPLANATIONS: readonly Explain[] = [
  explainRetries,
  explainTimeouts,
  explainRepeatedCalls,
  explainPoolWait,
  explainStraggler,
  explainStalls,
  explainContention,
  explainCacheMiss,
  explainSlowStatement,
  explainTransit,
  explainExternal,
  explainOwnCode,
];

/**
 * The best explanation of each hot spot: one that shows harm before one that does
 * not, then the more confident. An explanation that claims several nodes (a loop
 * with its pool acquisitions) takes them all, so that the same time is not
 * explained twice.
 */
export function explain(theCase: Case, spots: readonly HotSpot[]): Explanation[] {
  const candidates = spots.flatMap((spot) =>
    EXPLANATIONS.map((tryToExplain, order) => ({ spot, order, explanation: tryToExplain(theCase, spot) })).filter(
      (c): c is typeof c & { explanation: Explanation } => c.explanation !== undefined,
    ),
  );
  candidates.sort(
    (a, b) =>
      Number(b.explanation.harmful) - Number(a.explanation.harmful) ||
      b.explanation.confidence - a.explanation.confidence ||
      b.spot.slowNs - a.spot.slowNs ||
      a.order - b.order,
  );
  const taken = new Set<number>();
  const kept: Explanation[] = [];
  for (const { spot, explanation } of candidates) {
    if (taken.has(spot.node)) continue;
    for (const node of explanation.nodes) taken.add(node);
    taken.add(spot.node);
    kept.push(explanation);
  }
  return kept;
}
