import type { Fault } from "./fault.ts";
import { OPERATIONS, userEndpoint } from "./names.ts";

/** Two causes in one service, at two endpoints. */
export const fixedDelayAndSlowCode: Fault = {
  name: "fixed-delay-and-slow-code",
  kind: "pair",
  summary: "creates wait, listings compute",
  truths: [
    { service: "zones", mechanism: "fixed-delay", operation: OPERATIONS.create, endpoint: userEndpoint("create") },
    { service: "zones", mechanism: "slow-code", operation: OPERATIONS.list, endpoint: userEndpoint("list") },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { zones: { writeDelayMs: 100, conflicts: "pairwise" } },
  load: {},
  whatIf: [],
  needsBaseline: true,
};
