import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/**
 * A new client lists whole zones where the old one looked names up: each kind of request is as fast as
 * ever, there are more of the expensive kind.
 */
export const mixShift: Fault = {
  name: "mix-shift",
  kind: "fault",
  summary: "the average has doubled, and nobody deployed anything",
  truths: [
    {
      service: "gateway",
      alsoServices: ["zones"],
      mechanism: "mix-shift",
      endpoint: userEndpoint("list"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: {},
  load: { mix: { lookup: 0.75, list: 0.05, create: 0.1, overview: 0.05, points: 0.05 } },
  brokenLoad: { mix: { lookup: 0.2, list: 0.6, create: 0.1, overview: 0.05, points: 0.05 } },
  whatIf: [],
  needsBaseline: true,
};
