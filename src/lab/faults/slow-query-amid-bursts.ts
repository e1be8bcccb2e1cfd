import type { Fault } from "./fault.ts";
import { DATABASE, userEndpoint, SELECT } from "./names.ts";

/** A statement that is slow at any load, under a load that comes in bursts. */
export const slowQueryAmidBursts: Fault = {
  name: "slow-query-amid-bursts",
  kind: "red-herring",
  summary: "slow at bursts, people say, but it is slow at all times",
  truths: [{ service: DATABASE, mechanism: "slow-query", endpoint: userEndpoint("overview") }],
  seenFrom: "traces",
  needs: [],
  broken: { zones: { summary: "recomputed", poolMax: 80 } },
  load: { perSecond: 20, schedule: { kind: "burst", everySeconds: 5, lengthSeconds: 1, factor: 3 } },
  whatIf: [`service=zones,operation=${SELECT},time=0.1`],
  needsBaseline: false,
};
