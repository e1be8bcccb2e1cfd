import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/**
 * A backlog of one and a new connection for each call. In a burst the kernel drops the SYN, and the
 * caller's kernel sends it again after a second.
 */
export const acceptQueue: Fault = {
  name: "accept-queue",
  kind: "fault",
  summary: "now and then a request takes a second longer",
  truths: [
    {
      service: "zones",
      mechanism: "accept-queue",
      alsoMechanisms: ["misconfiguration"],
      setting: "backlog",
      endpoint: userEndpoint("lookup"),
    },
  ],
  seenFrom: "metrics",
  needs: [],
  before: { gateway: { keepAlive: false } },
  broken: { gateway: { keepAlive: false }, zones: { listenBacklog: 1 } },
  fixed: { zones: { listenBacklog: 511 } },
  load: { perSecond: 25, schedule: { kind: "burst", everySeconds: 5, lengthSeconds: 1, factor: 5 } },
  whatIf: [],
  needsBaseline: false,
};
