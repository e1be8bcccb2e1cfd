import { callSpots } from "./call-spots.ts";
import type { Case } from "./case.ts";
import { explainAttribute } from "./explain/attributes.ts";
import { explainCacheMiss } from "./explain/cache-miss.ts";
import { explainConnectionChurn } from "./explain/connection-churn.ts";
import { explainConnectionRetry } from "./explain/connection-retry.ts";
import { explainContention } from "./explain/contention.ts";
import { explainFixedDelay } from "./explain/delay-modes.ts";
import { explainErrorHandling } from "./explain/errors.ts";
import { explainExternal } from "./explain/external.ts";
import { explainRetries, explainTimeouts } from "./explain/failed-calls.ts";
import { explainOwnCode } from "./explain/own-code.ts";
import { explainPoolWait } from "./explain/pool-wait.ts";
import { explainRepeatedCalls } from "./explain/repeated-calls.ts";
import { explainSequentialCalls } from "./explain/sequential-calls.ts";
import { explainSize } from "./explain/sizes.ts";
import { explainSlowStatement } from "./explain/slow-statement.ts";
import { explainStalls } from "./explain/stalled-process.ts";
import { explainStraggler } from "./explain/straggler.ts";
import { explainTransit } from "./explain/transit.ts";
import { explainGrowth } from "./explain/trend.ts";
import { hotSpots, type Explanation, type HotSpot } from "./hot-spot.ts";

type Explain = (theCase: Case, spot: HotSpot) => Explanation | undefined;

/** What may be wrong with making a call at all. */
const OF_CALLS: readonly Explain[] = [explainRetries, explainTimeouts, explainRepeatedCalls];

/** What may explain the own time of a hot spot; the order only breaks ties. */
const OF_OWN_TIME: readonly Explain[] = [
  explainPoolWait,
  explainConnectionChurn,
  explainConnectionRetry,
  explainFixedDelay,
  explainErrorHandling,
  explainAttribute,
  explainSize,
  explainGrowth,
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
 * The best explanation of each hot spot of an endpoint: one that shows harm before
 * one that does not, then the more confident. An explanation that claims several
 * call paths (a loop with everything below it) takes them all, so that the same
 * time is not explained twice.
 */
export function explain(theCase: Case): Explanation[] {
  const { window, view } = theCase;
  const tried = (spots: readonly HotSpot[], explains: readonly Explain[], rank: number): Candidate[] =>
    spots.flatMap((spot) =>
      explains.flatMap((tryToExplain, order) => {
        const explanation = tryToExplain(theCase, spot);
        return explanation === undefined ? [] : [{ spot, order: rank + order, explanation }];
      }),
    );
  const candidates = [
    ...tried(callSpots(window, view), OF_CALLS, 0),
    ...tried(hotSpots(window, view), OF_OWN_TIME, OF_CALLS.length),
  ];
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
  return [...kept, ...explainSequentialCalls(theCase)];
}

interface Candidate {
  readonly spot: HotSpot;
  readonly order: number;
  readonly explanation: Explanation;
}
