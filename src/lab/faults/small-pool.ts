import type { Fault } from "./fault.ts";
import { DATABASE, ZONES_POOL, userEndpoint } from "./names.ts";

/**
 * Two connections were enough for development, and while a connection is held the registrar is asked
 * something: connections idle, requests wait.
 */
export const smallPool: Fault = {
  name: "small-pool",
  kind: "fault",
  summary: "requests queue for a database connection",
  truths: [
    {
      service: "zones",
      mechanism: "pool-exhausted",
      setting: "pool.max",
      limiter: ZONES_POOL,
      endpoint: userEndpoint("lookup"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  before: { zones: { holdConnection: "request" }, registrar: { delayMs: 90 } },
  broken: { zones: { poolMax: 2, holdConnection: "request" }, registrar: { delayMs: 90 } },
  fixed: { zones: { poolMax: 10 } },
  load: {},
  whatIf: [`service=zones,pool:${DATABASE}=10`],
  needsBaseline: false,
};
