import type { EndpointView } from "../endpoint-view.ts";
import { callingHabits, compareHabits } from "../../analysis/structure-change.ts";
import { claimAddedCalls } from "./added-calls.ts";
import { comparison, type RegressionClaim } from "./affected.ts";
import { attributeGrowth } from "./attribution.ts";
import { claimBreakage } from "./broken-off.ts";
import { growthByOperation } from "./growth.ts";
import { operationsOf, type Slice, type SliceRows } from "./operations.ts";
import { claimSerialised } from "./serialised.ts";
import { claimSlowdown } from "./slowdown.ts";

export interface RegressionResult {
  readonly claims: RegressionClaim[];
}

export function explainRegressions(now: Slice, before: Slice, views: readonly EndpointView[]): RegressionResult {
  const operations = operationsOf(now, before);
  const compared = comparison(operations, views);
  const growths = growthByOperation(operations, compared.ownNs);
  const structure = compareHabits(habitsOf(operations.before), habitsOf(operations.now));
  const claims = [
    ...attributeGrowth(growths).flatMap((culprit) => claimSlowdown(compared, culprit)),
    ...claimBreakage(compared, structure.lost),
    ...claimAddedCalls(compared, structure.added),
    ...claimSerialised(compared),
  ];
  return { claims };
}

const habitsOf = ({ slice, operation }: SliceRows): ReturnType<typeof callingHabits> => callingHabits(slice.window.forest, operation);
