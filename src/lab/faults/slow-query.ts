import type { Fault } from "./fault.ts";
import { DATABASE, userEndpoint, SELECT } from "./names.ts";

/**
 * A summary that is computed from the history on each request, instead of kept as rows come in: right
 * at first, and slower with every year.
 */
export const slowQuery: Fault = {
  name: "slow-query",
  kind: "fault",
  summary: "the overview counts everything that ever happened, each time",
  truths: [{ service: DATABASE, mechanism: "slow-query", endpoint: userEndpoint("overview") }],
  seenFrom: "traces",
  needs: [],
  broken: { zones: { summary: "recomputed" } },
  load: { mix: { lookup: 0.5, list: 0.22, create: 0.1, overview: 0.08, points: 0.1 } },
  whatIf: [`service=zones,operation=${SELECT},time=0.1`],
  needsBaseline: false,
};
