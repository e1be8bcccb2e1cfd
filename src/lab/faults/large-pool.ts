import type { Fault } from "./fault.ts";

/** A limit that is not reached does nothing. */
export const largePool: Fault = {
  name: "large-pool",
  kind: "red-herring",
  summary: "the pool is limited to eight times what is ever used",
  truths: [],
  seenFrom: "traces",
  needs: [],
  broken: { zones: { poolMax: 80 } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
