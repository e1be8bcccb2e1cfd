import { expect, test } from "vitest";
import { drawRequests, ENDPOINT_NAMES } from "./draw-requests.ts";
import { USUAL_LOAD, type LoadPlan } from "./load-plan.ts";

const PLAN: LoadPlan = { ...USUAL_LOAD, perSecond: 200, seconds: 50 };

test("the same seed draws the same requests, another seed others", () => {
  const once = drawRequests(PLAN);
  expect(drawRequests(PLAN)).toEqual(once);
  const other = drawRequests({ ...PLAN, seed: 2 });
  expect(other.dueMs.slice(0, 5)).not.toEqual(once.dueMs.slice(0, 5));
  expect(other.target.slice(0, 5)).not.toEqual(once.target.slice(0, 5));
});

test("shares of endpoints and of missing names are those of the plan, within 4 standard deviations", () => {
  const { count, endpoint, missing } = drawRequests(PLAN);
  const within = (n: number, share: number): void =>
    expect(Math.abs(n - count * share)).toBeLessThan(4 * Math.sqrt(count * share * (1 - share)));
  for (const [i, name] of ENDPOINT_NAMES.entries()) within(endpoint.filter((e) => e === i).length, PLAN.mix[name]!);
  within(missing.filter((m) => m === 1).length, 0.01);
});

test("another rate or schedule moves requests in time and changes none of them", () => {
  const once = drawRequests(PLAN);
  for (const change of [{ perSecond: 20 }, { schedule: { kind: "ramp", from: 0.1, to: 1 } }] as const) {
    const other = drawRequests({ ...PLAN, ...change });
    expect(other.count).toBeLessThan(once.count);
    for (const column of ["endpoint", "target", "missing", "bodySeed"] as const)
      expect(other[column]).toEqual(once[column].slice(0, other.count));
  }
});

test("another mix changes the endpoint of those that have to move, and nothing else", () => {
  const once = drawRequests(PLAN);
  // A tenth of all goes from lookup to points: every endpoint between them shifts by that tenth.
  const other = drawRequests({ ...PLAN, mix: { ...PLAN.mix, lookup: 0.35, points: 0.2 } });
  for (const column of ["dueMs", "target", "missing", "bodySeed"] as const) expect(other[column]).toEqual(once[column]);
  // On the axis of shares the borders move from .45 .65 .75 .9 to .35 .55 .65 .8: four stretches of a tenth change.
  const moved = other.endpoint.filter((e, i) => e !== once.endpoint[i]).length / once.count;
  expect(Math.abs(moved - 0.4)).toBeLessThan(4 * Math.sqrt((0.4 * 0.6) / once.count));
});

test("a share that is not there gets nothing, and an only one all", () => {
  const { endpoint } = drawRequests({ ...PLAN, mix: { overview: 1 } });
  expect(new Set(endpoint)).toEqual(new Set([ENDPOINT_NAMES.indexOf("overview")]));
});
