import type { Fault } from "./fault.ts";
import { OPERATIONS, userEndpoint } from "./names.ts";

/**
 * One lock around the refresh of a cache, so that no account is fetched twice at once; it also keeps
 * different accounts from being fetched at once.
 */
export const applicationLock: Fault = {
  name: "application-lock",
  kind: "fault",
  summary: "one slow refresh makes all wait",
  truths: [
    {
      service: "accounts",
      mechanism: "lock-contention",
      operation: OPERATIONS.account,
      endpoint: userEndpoint("overview"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  before: { accounts: { cache: { entries: 5000, ttlMs: 300 } }, registrar: { delayMs: 25 } },
  broken: {
    accounts: { refreshLock: "global", cache: { entries: 5000, ttlMs: 300 } },
    registrar: { delayMs: 25 },
  },
  fixed: { accounts: { refreshLock: "per-key" } },
  load: { mix: { lookup: 0.3, list: 0.1, create: 0.05, overview: 0.5, points: 0.05 } },
  whatIf: [],
  needsBaseline: false,
};
