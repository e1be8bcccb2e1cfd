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
      endpoint: userEndpoint("overview"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { accounts: { cache: { entries: 20, ttlMs: 60_000 } } },
  load: {},
  whatIf: [],
  needsBaseline: true,
};
