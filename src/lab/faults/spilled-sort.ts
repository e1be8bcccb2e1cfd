import type { Fault } from "./fault.ts";
import { DATABASE, userEndpoint } from "./names.ts";

/**
 * work_mem was lowered once against another trouble. Sorts and hashes that would fit now write
 * temporary files.
 */
export const spilledSort: Fault = {
  name: "spilled-sort",
  kind: "fault",
  summary: "sorts go to disk although there is memory",
  truths: [
    {
      service: DATABASE,
      mechanism: "misconfiguration",
      alsoMechanisms: ["slow-query", "memory-pressure"],
      setting: "work_mem",
      endpoint: userEndpoint("overview"),
    },
  ],
  seenFrom: "metrics",
  needs: [],
  broken: { postgres: { workMemKb: 64 } },
  load: {},
  whatIf: [],
  needsBaseline: true,
};
