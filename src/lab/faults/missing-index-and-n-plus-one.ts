import type { Fault } from "./fault.ts";
import { DATABASE, OPERATIONS, userEndpoint } from "./names.ts";

/** Two causes in one database, at two endpoints. */
export const missingIndexAndNPlusOne: Fault = {
  name: "missing-index-and-n-plus-one",
  kind: "pair",
  summary: "look-ups are slow, and so are listings, for reasons of their own",
  truths: [
    {
      service: DATABASE,
      mechanism: "missing-index",
      alsoMechanisms: ["slow-query"],
      endpoint: userEndpoint("lookup"),
    },
    { service: "zones", mechanism: "n-plus-one", operation: OPERATIONS.list, endpoint: userEndpoint("list") },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { postgres: { nameIndex: false }, zones: { editors: "query-per-record" } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
