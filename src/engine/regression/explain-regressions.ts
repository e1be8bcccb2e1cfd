import type { EndpointView } from "../endpoint-view.ts";
import { comparison, type RegressionClaim } from "./affected.ts";
import { attributeGrowth } from "./attribution.ts";
import { growthByOperation } from "./growth.ts";
import { operationsOf, type Slice } from "./operations.ts";
import { claimSlowdown } from "./slowdown.ts";

export interface RegressionResult {
  readonly claims: RegressionClaim[];
}

export function explainRegressions(now: Slice, before: Slice, views: readonly EndpointView[]): RegressionResult {
  const operations = operationsOf(now, before);
  const compared = comparison(operations, views);
  const growths = growthByOperation(operations);
  const claims = attributeGrowth(growths).flatMap((culprit) => claimSlowdown(compared, culprit));
  return { claims };
}
