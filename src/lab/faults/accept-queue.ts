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
  load: {
    perSecond: 25,
    // Short requests: the burst has to meet the queue, not the processors.
    mix: { lookup: 0.85, list: 0.05, create: 0.05, overview: 0.05 },
    schedule: { kind: "burst", everySeconds: 5, lengthSeconds: 1, factor: 8 },
  },
  whatIf: [],
  needsBaseline: false,
};
