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
  // On a quick machine one worker keeps up with half of it.
  load: { perSecond: 60, mix: { points: 0.7, lookup: 0.2, list: 0.05, overview: 0.05 } },
  whatIf: [],
  needsBaseline: false,
};
