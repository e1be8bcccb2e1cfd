import type { Fault } from "./fault.ts";

/** Three times the load for a second: the system has the room. */
export const easyBursts: Fault = {
  name: "easy-bursts",
  kind: "red-herring",
  summary: "requests come in bursts",
  truths: [],
  seenFrom: "traces",
  needs: [],
  broken: {},
  load: { perSecond: 20, schedule: { kind: "burst", everySeconds: 5, lengthSeconds: 1, factor: 3 } },
  whatIf: [],
  needsBaseline: false,
};
