import type { Fault } from "./fault.ts";

/** A cache that is larger than all keys. */
export const largeCache: Fault = {
  name: "large-cache",
  kind: "red-herring",
  summary: "accounts keeps more in memory than it ever needs",
  truths: [],
  seenFrom: "traces",
  needs: [],
  broken: { accounts: { cache: { entries: 500_000, ttlMs: 3_600_000 } } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
