import type { Fault } from "./fault.ts";
import { OPERATIONS, userEndpoint, SELECT } from "./names.ts";

/** A neighbour at niceness 19, refused names and a few of the partner's errors beside a loop of queries. */
export const nPlusOneAmidNoise: Fault = {
  name: "n-plus-one-amid-noise",
  kind: "red-herring",
  summary: "everything looks wrong, one thing is",
  truths: [{ service: "zones", mechanism: "n-plus-one", operation: OPERATIONS.list, endpoint: userEndpoint("list") }],
  seenFrom: "traces",
  needs: [],
  broken: {
    zones: { editors: "query-per-record" },
    registrar: { errorRatio: 0.02 },
    host: { neighbours: { processes: 1, nice: 19 } },
  },
  load: { missing: 0.1 },
  whatIf: [`service=zones,operation=${SELECT},batch`],
  needsBaseline: false,
};
