import type { Fault } from "./fault.ts";
import { DATABASE, userEndpoint, SELECT } from "./names.ts";

/**
 * An index that exists in production's first database and not in the one that was restored, or that
 * was never there: nothing fails, every look-up reads all rows.
 */
export const missingIndex: Fault = {
  name: "missing-index",
  kind: "fault",
  summary: "looking up a name scans the whole table",
  truths: [
    {
      service: DATABASE,
      mechanism: "missing-index",
      // which of the two it is stands in the plan, and spans don't carry it
      alsoMechanisms: ["slow-query"],
      endpoint: userEndpoint("lookup"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { postgres: { nameIndex: false } },
  load: {},
  whatIf: [`service=zones,operation=${SELECT},time=0.1`],
  needsBaseline: false,
};
