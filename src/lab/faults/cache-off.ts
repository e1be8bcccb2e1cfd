import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/** A cache that was switched off to find a bug, and stayed off: everything works, only slower. */
export const cacheOff: Fault = {
  name: "cache-off",
  kind: "fault",
  summary: "accounts are fetched anew for every request",
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
  broken: { accounts: { cache: { entries: 0, ttlMs: 600_000 } }, registrar: { delayMs: 40 } },
  fixed: { accounts: { cache: { entries: 5000, ttlMs: 600_000 } } },
  load: { mix: { lookup: 0.2, list: 0.35, create: 0.1, overview: 0.3, points: 0.05 } },
  whatIf: [],
  needsBaseline: true,
};
