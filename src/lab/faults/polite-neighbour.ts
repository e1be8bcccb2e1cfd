import type { Fault } from "./fault.ts";

/** A batch job at niceness 19 uses what nobody else wants: the graph is red, the requests are not slow. */
export const politeNeighbour: Fault = {
  name: "polite-neighbour",
  kind: "red-herring",
  summary: "the processors are always busy",
  truths: [],
  seenFrom: "traces",
  needs: [],
  broken: { host: { neighbours: { processes: 2, nice: 19 } } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
