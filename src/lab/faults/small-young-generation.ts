import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/**
 * The semi space was lowered to save memory in a container. Objects that would have died young are
 * copied twice and then live in the old generation.
 */
export const smallYoungGeneration: Fault = {
  name: "small-young-generation",
  kind: "fault",
  summary: "ingest collects garbage all the time",
  truths: [
    {
      service: "ingest",
      mechanism: "garbage-collection",
      alsoMechanisms: ["misconfiguration"],
      setting: "max-semi-space-size",
      endpoint: userEndpoint("points"),
    },
  ],
  seenFrom: "metrics",
  needs: [],
  broken: { ingest: { youngMb: 1 } },
  load: { mix: { points: 0.5, lookup: 0.3, list: 0.1, overview: 0.1 }, pointsPerBatch: 500 },
  whatIf: [],
  needsBaseline: false,
};
