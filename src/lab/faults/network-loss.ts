import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/** A bad cable or a full queue on the way: what is lost is sent again after a timer of 200 ms or more. */
export const networkLoss: Fault = {
  name: "network-loss",
  kind: "fault",
  summary: "a few requests take far longer than the others",
  truths: [
    {
      service: "zones",
      alsoServices: ["gateway"],
      mechanism: "network-loss",
      endpoint: userEndpoint("lookup"),
    },
  ],
  seenFrom: "metrics",
  needs: ["netem"],
  broken: { host: { network: { service: "zones", delayMs: 0, lossRatio: 0.03 } } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
