import type { Fault } from "./fault.ts";
import { HANDLERS, OPERATIONS, userEndpoint } from "./names.ts";

/**
 * A check for conflicting records compares each with each: natural to write, right on a zone of ten
 * records, and quadratic in the names of a page.
 */
export const slowCode: Fault = {
  name: "slow-code",
  kind: "fault",
  summary: "listing a zone costs a multiple of the processor time that it should",
  truths: [
    {
      service: "zones",
      mechanism: "slow-code",
      frame: "pairwise",
      alsoFrames: ["normalised"],
      operation: OPERATIONS.list,
      endpoint: userEndpoint("list"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { zones: { conflicts: "pairwise" } },
  load: {},
  whatIf: [`service=zones,operation=${HANDLERS.zoneRecords},time=0.08`],
  needsBaseline: true,
};
