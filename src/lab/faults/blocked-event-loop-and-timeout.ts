import { REGISTRAR_HOST } from "../settings.ts";
import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/** Two causes in the tail, in two services. */
export const blockedEventLoopAndTimeout: Fault = {
  name: "blocked-event-loop-and-timeout",
  kind: "pair",
  summary: "the gateway stands still, and the registrar does not answer",
  truths: [
    {
      service: "accounts",
      alsoServices: [REGISTRAR_HOST],
      mechanism: "timeout",
      setting: "registrar.timeoutMs",
      endpoint: userEndpoint("overview"),
    },
    { service: "gateway", mechanism: "event-loop-blocked", endpoint: userEndpoint("lookup") },
  ],
  seenFrom: "metrics",
  needs: [],
  broken: {
    gateway: { statusDump: { everyMs: 2000, entries: 150_000 } },
    accounts: { registrar: { timeoutMs: 1000, retries: 2 } },
    registrar: { hangRatio: 0.05 },
  },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
