import type { Fault } from "./fault.ts";
import { HANDLERS, OPERATIONS, userEndpoint } from "./names.ts";

/**
 * Writes wait to be joined with others into one statement. With few writers there is nobody to join
 * and the wait is all that remains of the idea.
 */
export const fixedDelay: Fault = {
  name: "fixed-delay",
  kind: "fault",
  summary: "creating a record takes a tenth of a second, even at night",
  truths: [
    { service: "zones", mechanism: "fixed-delay", operation: OPERATIONS.create, endpoint: userEndpoint("create") },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { zones: { writeDelayMs: 100 } },
  load: {},
  whatIf: [`service=zones,operation=${HANDLERS.zoneRecords},time=0.02`],
  needsBaseline: false,
};
