import { expect, test } from "vitest";
import { LabError } from "../lab-error.ts";
import { USUAL_LOAD, type LoadPlan } from "./load-plan.ts";
import { validatePlan } from "./validate-plan.ts";

const REFUSED: readonly [Partial<LoadPlan>, string][] = [
  [{ seconds: 0 }, "the load plan's seconds is 0, it has to be above 0 and at most 600"],
  [{ seconds: 601 }, "the load plan's seconds is 601, it has to be above 0 and at most 600"],
  [{ seconds: Number.NaN }, "seconds is NaN"],
  [{ perSecond: 0 }, "perSecond is 0"],
  [{ perSecond: Infinity }, "perSecond is Infinity"],
  [{ seed: -1 }, "seed is -1"],
  [{ seed: 0.5 }, "seed is 0.5"],
  [{ pointsPerBatch: 0 }, "pointsPerBatch is 0"],
  [{ pointsPerBatch: 10_001 }, "pointsPerBatch is 10001"],
  [{ missing: 1.1 }, "missing is 1.1"],
  [{ mix: {} }, "the sum of mix is 0, it has to be 1"],
  [{ mix: { lookup: 0.5, list: 0.4 } }, "the sum of mix is 0.9"],
  [{ mix: { lookup: 1.5, list: -0.5 } }, "mix.lookup is 1.5"],
  [{ mix: { search: 1 } as LoadPlan["mix"] }, "mix is search, it has to be of lookup, list, create, overview, points"],
  [{ schedule: { kind: "ramp", from: -1, to: 2 } }, "schedule.from is -1"],
  [{ schedule: { kind: "ramp", from: 0, to: 0 } }, "schedule.from + to is 0"],
  [{ schedule: { kind: "step", at: 1, before: 1, after: 2 } }, "schedule.at is 1"],
  [{ schedule: { kind: "step", at: 0.5, before: 0, after: 0 } }, "schedule.before + after is 0"],
  [{ schedule: { kind: "burst", everySeconds: 5, lengthSeconds: 5, factor: 2 } }, "schedule.lengthSeconds is 5"],
  [{ schedule: { kind: "burst", everySeconds: 0, lengthSeconds: 0, factor: 2 } }, "schedule.everySeconds is 0"],
  [{ schedule: { kind: "diurnal", periods: 2, depth: 1.5 } }, "schedule.depth is 1.5"],
  // 2,000 x 100 = 200,000 and five times its root, 2,237.
  [{ perSecond: 2000, seconds: 100 }, "perSecond x seconds is 202237, it has to be at most 200000 requests"],
  // The schedule counts: half of the time at 3.
  [{ perSecond: 1000, seconds: 100, schedule: { kind: "step", at: 0.5, before: 1, after: 3 } }, "is 202237"],
];

test.each(REFUSED)("%j is refused", (change, message) => {
  const attempt = (): void => validatePlan({ ...USUAL_LOAD, ...change });
  expect(attempt).toThrow(LabError);
  expect(attempt).toThrow(message);
});

test.each<Partial<LoadPlan>>([
  {},
  // 197,700 + 5 x 444.6 = 199,923.
  { perSecond: 1977, seconds: 100 },
  { perSecond: 100, seconds: 600 },
])("%j passes", (change) => {
  expect(() => validatePlan({ ...USUAL_LOAD, ...change })).not.toThrow();
});
