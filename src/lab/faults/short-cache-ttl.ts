import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/** Somebody wanted changes to show at once and set a life of half a second. */
export const shortCacheTtl: Fault = {
  name: "short-cache-ttl",
  kind: "fault",
  summary: "the cache forgets accounts before they are asked for again",
  truths: [
    {
      service: "accounts",
      mechanism: "cache-miss",
      alsoMechanisms: ["misconfiguration"],
      setting: "cache.ttlMs",
      endpoint: userEndpoint("overview"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { accounts: { cache: { entries: 5000, ttlMs: 300 } } },
  load: {},
  whatIf: [],
  needsBaseline: true,
};
