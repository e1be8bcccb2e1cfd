import type { Fault } from "./fault.ts";

/** A scanner tries names. Each is refused as quickly as any other is answered. */
export const notFoundAnswers: Fault = {
  name: "not-found-answers",
  kind: "red-herring",
  summary: "a third of the look-ups ask for names that do not exist",
  truths: [],
  seenFrom: "traces",
  needs: [],
  broken: {},
  load: {},
  brokenLoad: { missing: 0.33 },
  whatIf: [],
  needsBaseline: false,
};
