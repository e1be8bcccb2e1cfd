import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/** The service was moved to another site: every call crosses it. */
export const networkDelay: Fault = {
  name: "network-delay",
  kind: "fault",
  summary: "the way to zones has become long",
  truths: [
    {
      service: "zones",
      // a way has two ends
      alsoServices: ["gateway"],
      mechanism: "network-latency",
      endpoint: userEndpoint("lookup"),
    },
  ],
  seenFrom: "traces",
  needs: ["netem"],
  broken: { host: { network: { service: "zones", delayMs: 20, lossRatio: 0 } } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
