import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/**
 * One worker, a transaction for each point: fine for one metric, and the queue grows as soon as
 * more comes in than it commits.
 */
export const queueBacklog: Fault = {
  name: "queue-backlog",
  kind: "fault",
  summary: "metrics show up minutes late",
  truths: [
    {
      service: "aggregator",
      mechanism: "queue-backlog",
      setting: "workers",
      endpoint: userEndpoint("points"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { aggregator: { commit: "point", workers: 1 } },
  load: { mix: { points: 0.5, lookup: 0.3, list: 0.1, overview: 0.1 } },
  whatIf: [],
  needsBaseline: false,
};
