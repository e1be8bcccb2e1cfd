import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/**
 * A status page is written as one large JSON document: JSON.stringify and the write are synchronous,
 * and all requests of the process wait for them.
 */
export const blockedEventLoop: Fault = {
  name: "blocked-event-loop",
  kind: "fault",
  summary: "once in a while everything stands still for a moment",
  truths: [{ service: "gateway", mechanism: "event-loop-blocked", frame: "#dump", endpoint: userEndpoint("lookup") }],
  seenFrom: "metrics",
  needs: [],
  broken: { gateway: { statusDump: { everyMs: 2000, entries: 150_000 } } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
