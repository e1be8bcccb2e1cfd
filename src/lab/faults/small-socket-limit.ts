import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/** `maxSockets` of an HTTP agent, set low to be kind to a service that has long since been rewritten. */
export const smallSocketLimit: Fault = {
  name: "small-socket-limit",
  kind: "fault",
  summary: "the gateway queues calls that the services would answer at once",
  truths: [
    {
      service: "gateway",
      mechanism: "pool-exhausted",
      alsoMechanisms: ["misconfiguration"],
      setting: "maxSockets",
      limiter: { service: "gateway", resource: "pool:zones" },
      endpoint: userEndpoint("lookup"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  before: { registrar: { delayMs: 28 } },
  broken: { gateway: { maxSockets: 1 }, registrar: { delayMs: 28 } },
  fixed: { gateway: { maxSockets: 64 } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
