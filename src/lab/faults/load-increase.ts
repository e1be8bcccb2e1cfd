import type { Fault } from "./fault.ts";
import { HOST, SERVICES_OF_HOST, userEndpoint } from "./names.ts";

/** Nothing was changed but the number of requests. */
export const loadIncrease: Fault = {
  name: "load-increase",
  kind: "fault",
  summary: "more users than yesterday",
  truths: [
    {
      service: "gateway",
      alsoServices: [HOST, ...SERVICES_OF_HOST.filter((name) => name !== "gateway")],
      mechanism: "load-increase",
      // more requests and processors at their limit are the two halves of one sentence
      alsoMechanisms: ["cpu-saturated"],
      endpoint: userEndpoint("list"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: {},
  load: {},
  brokenLoad: { perSecond: 120 },
  whatIf: [],
  needsBaseline: true,
};
