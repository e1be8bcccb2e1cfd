import { callingHabits, compareHabits } from "../../analysis/structure-change.ts";
import type { EndpointView } from "../endpoint-view.ts";
import { percent } from "../wording.ts";
import { claimAddedCalls } from "./added-calls.ts";
import { comparison, type Comparison, type RegressionClaim } from "./affected.ts";
import { attributeGrowth, type Culprit } from "./attribution.ts";
import { claimBreakage, newFailures } from "./broken-off.ts";
import { claimEndpointMix } from "./endpoint-mix.ts";
import { heldLonger } from "./held-longer.ts";
import { growthByOperation, type OperationGrowth } from "./growth.ts";
import { becauseOfLoad, growsWithLoad, loadIncrease, type LoadChange } from "./load.ts";
import { explainMix, type MixSplit } from "./mix-shift.ts";
import { operationsOf, type Slice, type SliceRows } from "./operations.ts";
import { claimPassedBetween } from "./passed-between.ts";
import { claimSerialised } from "./serialised.ts";
import { claimSlowdown } from "./slowdown.ts";

export interface RegressionResult {
  /** one per cause and endpoint */
  readonly claims: RegressionClaim[];
  /** what was compared and found as before, for `checkedNotCause` */
  readonly unchanged: string[];
  /** call paths of calls that fail more often than before */
  readonly newFailures: ReadonlySet<number>;
  /** per endpoint with traces in both slices: its change split exactly into mix and slowdown */
  readonly splits: MixSplit[];
}

/**
 * What became worse between two slices, `before` taken as good: operations that take longer (attributed to a
 * service by common cause), calls that were added, serialised or broken off, errors, another mix of requests, more
 * load. views: the endpoints of `now.window`. All tests are controlled for false discoveries at 1 %; what is less
 * sure is marked as not harmful. Traces that are incomplete don't count. O(n log n) in the spans.
 */
export function explainRegressions(
  now: Slice,
  before: Slice,
  views: readonly EndpointView[],
  seed = 1,
): RegressionResult {
  const operations = operationsOf(now, before);
  const compared = comparison(operations, views);
  const growths = growthByOperation(operations, compared.ownNs);
  const mix = explainMix(compared, growths);
  const load = loadIncrease(now, before);
  const structure = compareHabits(habitsOf(operations.before), habitsOf(operations.now));
  const unexplained = growths.filter(({ operation }) => !mix.explained.has(operation.id));
  // With more load statements and waits may both be what follows.
  const held = load === undefined ? heldLonger(unexplained) : [];
  const heldIds = new Set(held.flatMap(({ calls, waits }) => [...calls, ...waits].map(({ operation: { id } }) => id)));
  const passed = claimPassedBetween(compared, unexplained);
  const isTold = ({ operation: { id } }: OperationGrowth): boolean => passed.explained.has(id) || heldIds.has(id);
  const rest = attributeGrowth(unexplained.filter((growth) => !isTold(growth)));
  const slowdowns = [...passed.claims, ...claimGrowth(compared, [...held, ...rest], load)];
  const broken = claimBreakage(compared, structure.lost);
  const added = claimAddedCalls(compared, structure.added);
  const serialised = claimSerialised(compared);
  return {
    claims: [...mix.claims, ...claimEndpointMix(compared, seed), ...slowdowns, ...broken, ...added, ...serialised],
    unchanged: [
      ...(slowdowns.length === 0
        ? [`self times of ${growths.length} operations: none grew (Mann–Whitney and tail, false discoveries at 1 %)`]
        : []),
      ...(broken.length + added.length === 0
        ? [`calls of ${structure.compared} operations: none lost, none added, no new errors`]
        : []),
      ...(serialised.length === 0 ? ["no calls that ran together now wait for each other"] : []),
      ...(load === undefined
        ? ["no sign of more load: the rate of requests rose by less than 30 %, or cannot be told"]
        : []),
      ...mixUnchanged(mix.splits, mix.claims.length),
    ],
    newFailures: newFailures(compared),
    splits: mix.splits,
  };
}

function claimGrowth(
  compared: Comparison,
  culprits: readonly Culprit[],
  load: LoadChange | undefined,
): RegressionClaim[] {
  return culprits.flatMap((culprit) => {
    const claims = claimSlowdown(compared, culprit);
    const correlation = load === undefined || !culprit.proven ? undefined : growsWithLoad(compared, culprit);
    return correlation === undefined ? claims : claims.map((claim) => becauseOfLoad(claim, load!, correlation));
  });
}

const habitsOf = ({ slice, operation }: SliceRows): ReturnType<typeof callingHabits> =>
  callingHabits(slice.window.forest, operation);

function mixUnchanged(splits: readonly MixSplit[], claims: number): string[] {
  if (claims > 0 || splits.length === 0) return [];
  const largest = Math.max(...splits.map(({ comparison: { mix, meanA } }) => Math.abs(mix) / meanA));
  return [`mix of requests: moves no endpoint's mean by more than ${percent(largest)}`];
}
