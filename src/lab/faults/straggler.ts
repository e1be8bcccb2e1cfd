import type { Fault } from "./fault.ts";
import { OPERATIONS, userEndpoint } from "./names.ts";

/** One of two replicas was not restarted after the last deployment and runs the old code. */
export const straggler: Fault = {
  name: "straggler",
  kind: "fault",
  summary: "every second request is slow",
  truths: [
    {
      service: "zones",
      mechanism: "straggler",
      operation: OPERATIONS.list,
      endpoint: userEndpoint("list"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  before: { zones: { replicas: 2 } },
  broken: { zones: { replicas: 2, pairwiseReplica: 1 } },
  fixed: { zones: { pairwiseReplica: -1 } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
