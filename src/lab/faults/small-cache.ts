import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/**
 * A cache is sized once, for the customers of that day. What does not fit is thrown out right before
 * it is asked for again.
 */
export const smallCache: Fault = {
  name: "small-cache",
  kind: "fault",
  summary: "the cache holds fewer accounts than are in use",
  truths: [
    {
      service: "accounts",
      mechanism: "cache-miss",
      alsoMechanisms: ["misconfiguration"],
      setting: "cache.entries",
      endpoint: userEndpoint("list"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  before: { registrar: { delayMs: 40 } },
  broken: { accounts: { cache: { entries: 20, ttlMs: 600_000 } }, registrar: { delayMs: 40 } },
  fixed: { accounts: { cache: { entries: 5000, ttlMs: 600_000 } } },
  load: { mix: { lookup: 0.2, list: 0.35, create: 0.1, overview: 0.3, points: 0.05 } },
  whatIf: [],
  needsBaseline: true,
};
