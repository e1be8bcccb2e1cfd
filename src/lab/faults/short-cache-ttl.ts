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
      endpoint: userEndpoint("list"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  before: { registrar: { delayMs: 40 } },
  broken: { accounts: { cache: { entries: 5000, ttlMs: 300 } }, registrar: { delayMs: 40 } },
  fixed: { accounts: { cache: { entries: 5000, ttlMs: 600_000 } } },
  load: { mix: { lookup: 0.2, list: 0.35, create: 0.1, overview: 0.3, points: 0.05 } },
  whatIf: [],
  needsBaseline: true,
};
