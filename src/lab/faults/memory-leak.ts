import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/** Each request leaves its context in a map that nothing is removed from: the usual shape of a leak. */
export const memoryLeak: Fault = {
  name: "memory-leak",
  kind: "fault",
  summary: "the accounts service gets slower until it is restarted",
  truths: [
    {
      service: "accounts",
      mechanism: "memory-leak",
      alsoMechanisms: ["memory-pressure", "garbage-collection"],
      endpoint: userEndpoint("overview"),
    },
  ],
  seenFrom: "metrics",
  needs: [],
  broken: { accounts: { retainKb: 256 } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
