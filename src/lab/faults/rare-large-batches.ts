import type { Fault } from "./fault.ts";

/** One request in a hundred carries thousands of points, and takes as long as that takes. */
export const rareLargeBatches: Fault = {
  name: "rare-large-batches",
  kind: "red-herring",
  summary: "a few requests are thirty times as slow as the others",
  truths: [],
  seenFrom: "traces",
  needs: [],
  broken: {},
  load: { mix: { lookup: 0.5, list: 0.22, create: 0.11, overview: 0.16, points: 0.01 }, pointsPerBatch: 3000 },
  whatIf: [],
  needsBaseline: false,
};
