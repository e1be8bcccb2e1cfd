import type { Fault } from "./fault.ts";
import { HANDLERS, OPERATIONS, userEndpoint } from "./names.ts";

/**
 * A signature by a slow hash, computed in the event loop on each answer: copied from an example for
 * passwords, where slowness is the aim. One process of Node has one core for it.
 */
export const busyProcess: Fault = {
  name: "busy-process",
  kind: "fault",
  summary: "the accounts service is out of processor",
  truths: [
    {
      service: "accounts",
      mechanism: "cpu-saturated",
      // the cure of either is the same: a cheaper signature
      alsoMechanisms: ["slow-code", "event-loop-blocked"],
      operation: OPERATIONS.account,
      frame: "signature",
      limiter: { service: "accounts", resource: "cpu" },
      endpoint: userEndpoint("overview"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { accounts: { signatureRounds: 200 } },
  load: {},
  whatIf: [`service=accounts,operation=${HANDLERS.account},time=0.02`],
  needsBaseline: false,
};
