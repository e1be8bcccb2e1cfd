import type { Fault } from "./fault.ts";
import { ZONES_POOL, userEndpoint, POOL_WAIT } from "./names.ts";

/**
 * A connection is checked out at the beginning of a request and handed back at its end, also while a
 * partner is asked in between. The pool looks too small and is only badly used.
 */
export const connectionHeld: Fault = {
  name: "connection-held",
  kind: "fault",
  summary: "connections are in use and do nothing",
  truths: [{ service: "zones", mechanism: "pool-exhausted", limiter: ZONES_POOL, endpoint: userEndpoint("lookup") }],
  seenFrom: "traces",
  needs: [],
  before: { zones: { poolMax: 2 }, registrar: { delayMs: 90 } },
  broken: { zones: { poolMax: 2, holdConnection: "request" }, registrar: { delayMs: 90 } },
  fixed: { zones: { holdConnection: "statement" } },
  load: {},
  whatIf: [`service=zones,operation=${POOL_WAIT},remove`],
  needsBaseline: false,
};
