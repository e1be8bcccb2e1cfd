import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/**
 * A large index of objects that lives on, results of searches that live for some seconds beside it, and a
 * heap that is barely large enough: the collector walks the whole index again and again.
 */
export const garbageCollection: Fault = {
  name: "garbage-collection",
  kind: "fault",
  summary: "the accounts service pauses, and its memory graph is a saw",
  truths: [
    {
      service: "accounts",
      mechanism: "garbage-collection",
      alsoMechanisms: ["memory-pressure"],
      frame: "rankMatches",
      setting: "max-old-space-size",
      endpoint: userEndpoint("overview"),
    },
  ],
  seenFrom: "metrics",
  needs: [],
  broken: { accounts: { garbageObjects: 800, heapMb: 138 } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
