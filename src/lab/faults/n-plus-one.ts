import type { Fault } from "./fault.ts";
import { OPERATIONS, userEndpoint, SELECT } from "./names.ts";

/**
 * The list is one query, and the editor of each record another: what an object-relational mapper
 * does with a lazy relation.
 */
export const nPlusOne: Fault = {
  name: "n-plus-one",
  kind: "fault",
  summary: "listing a zone sends a query for each of its records",
  truths: [{ service: "zones", mechanism: "n-plus-one", operation: OPERATIONS.list, endpoint: userEndpoint("list") }],
  seenFrom: "traces",
  needs: [],
  broken: { zones: { editors: "query-per-record" } },
  load: {},
  whatIf: [`service=zones,operation=${SELECT},batch`],
  needsBaseline: false,
};
