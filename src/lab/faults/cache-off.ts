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
      endpoint: userEndpoint("overview"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { accounts: { cache: { entries: 0, ttlMs: 60_000 } } },
  load: {},
  whatIf: [],
  needsBaseline: true,
};
