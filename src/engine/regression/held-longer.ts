import { SpanRole } from "../../model/span-facts.ts";
import type { Culprit } from "./attribution.ts";
import type { OperationGrowth } from "./growth.ts";

/**
 * Part of the time for which connections are held that is new, from which on it is why others wait for one: without a third
 * of it a pool that is in use for 75 to 90 % of the time would be so for 50 to 60 %.
 */
const MIN_PART = 1 / 3;

/**
 * Pools that are waited for longer than before because what their connections are held for became longer. A connection is
 * in use for as long as its statements take (utilisation = rate × time held / connections), never for as long as
 * others wait for it: of the two that grew, the statements are the cause.
 * One culprit for each database of a service, with the statements that grew as its calls and the pool's waits beside them.
 * Statements that hardly grew leave the pool to itself: more is asked of it, or it became smaller.
 */
export function heldLonger(growths: readonly OperationGrowth[]): Culprit[] {
  const pools = new Map<string, OperationGrowth[]>();
  for (const growth of growths) {
    const { role, service, callee } = growth.operation;
    if (role !== SpanRole.pool || callee === "" || !(growth.grown || growth.suspected)) continue;
    const key = `${service}\u0000${callee}`;
    pools.set(key, [...(pools.get(key) ?? []), growth]);
  }
  return [...pools.values()].flatMap((waits): Culprit[] => {
    const { service, callee } = waits[0]!.operation;
    const statements = growths.filter(
      ({ operation: one }) => one.role === SpanRole.database && one.service === service && one.callee === callee,
    );
    const calls = statements.filter((statement) => statement.grown);
    const heldNs = statements.reduce((sum, statement) => sum + statement.totalNs, 0);
    const moreNs = calls.reduce((sum, { growth }) => sum + growth.excess, 0);
    if (calls.length === 0 || moreNs < MIN_PART * heldNs) return [];
    return [
      {
        service: callee,
        traced: false,
        own: [],
        calls,
        waits,
        support: 1,
        otherSupport: 0,
        perTraceNs: [...calls, ...waits].reduce((sum, { perTraceNs }) => sum + perTraceNs, 0),
        ownShare: 0,
        proven: true,
      },
    ];
  });
}
