import type { Fault } from "./fault.ts";
import { OPERATIONS, userEndpoint } from "./names.ts";

/** The history was added to the answer for one screen, and all callers get it. */
export const payloadGrowth: Fault = {
  name: "payload-growth",
  kind: "fault",
  summary: "listings carry everything that ever happened to a record",
  truths: [{ service: "zones", mechanism: "payload-size", operation: OPERATIONS.list, endpoint: userEndpoint("list") }],
  seenFrom: "traces",
  needs: [],
  broken: { zones: { payload: "history" } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
