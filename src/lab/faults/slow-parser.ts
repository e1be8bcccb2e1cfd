import type { Fault } from "./fault.ts";
import { HANDLERS, OPERATIONS, userEndpoint } from "./names.ts";

/**
 * Split and a regular expression per line: the first thing that works. It makes a handful of strings
 * and arrays per point, where a walk over the bytes makes none.
 */
export const slowParser: Fault = {
  name: "slow-parser",
  kind: "fault",
  summary: "ingest uses far more processor per metric than it should",
  truths: [
    {
      service: "ingest",
      mechanism: "slow-code",
      alsoMechanisms: ["cpu-saturated"],
      operation: OPERATIONS.points,
      frame: "match",
      endpoint: userEndpoint("points"),
    },
  ],
  seenFrom: "profiles",
  needs: [],
  broken: { ingest: { parser: "regex" } },
  load: { mix: { points: 0.25, lookup: 0.5, list: 0.15, overview: 0.1 }, pointsPerBatch: 3000 },
  whatIf: [`service=ingest,operation=${HANDLERS.points},time=0.45`],
  needsBaseline: true,
};
