import { expect, test } from "vitest";
import { limitTogether } from "./equal-limiters.ts";
import type { CallGraph } from "./call-graph.ts";
import { ceilingOf, waitsOf, without, type CapacityModel, type ModelResource } from "./capacity-model.ts";

const cpu = (
  service: string,
  instances: number,
  capacityEach: number,
  demandMs: number,
  background = 0,
): ModelResource => ({
  service,
  resource: "cpu",
  instances,
  capacityEach,
  demandS: demandMs / 1e3,
  background,
  isEventLoop: false,
});
const pool = (service: string, database: string, size: number, holdMs: number): ModelResource => ({
  ...cpu(service, 1, size, holdMs),
  resource: `pool:${database}`,
});

/** app is called once per request, and makes one statement of `statementMs` on store. */
function graph(statementMs: number): CallGraph {
  const app = {
    name: "app",
    visits: 1,
    fromOutside: 1,
    calledBy: new Map(),
    meanDurationS: 0.05,
    ownS: 0.01,
    instances: 2,
  };
  const work = { service: "app", database: "store", calls: 1, timeS: statementMs / 1e3, acquisitions: 1 };
  return { services: new Map([["app", app]]), databases: new Map([["app\u0000store", work]]), flows: [] };
}

const model = (perSecond: number, ...resources: ModelResource[]): CapacityModel => ({
  graph: graph(10),
  perSecond,
  resources,
});

test("capacity over demand, the lowest limits, the next follows without it", () => {
  // 2 × 2 cores / 10 ms = 400; 4 cores / 4 ms = 1000
  const system = model(100, cpu("app", 2, 2, 10), cpu("store", 1, 4, 4));
  const found = ceilingOf(system)!;
  expect([found.perSecond, found.limiter.service]).toEqual([400, "app"]);
  const next = ceilingOf(without(system, found.limiter))!;
  expect([next.perSecond, next.limiter.service]).toEqual([1000, "store"]);
  expect(ceilingOf(without(without(system, found.limiter), next.limiter))).toBe(undefined);
});

test("what is busy without requests is not there for them: (4 - 1) / 10 ms", () => {
  expect(ceilingOf(model(100, cpu("app", 2, 2, 10, 1)))!.perSecond).toBeCloseTo(300, 9);
});

test("a pool that is held for its statement's time alone: 5 / 10 ms, on a database with room", () => {
  const found = ceilingOf(model(100, pool("app", "store", 5, 10), cpu("store", 1, 64, 10)))!;
  expect(found.limiter.resource).toBe("pool:store");
  expect(Math.abs(found.perSecond / 500 - 1)).toBeLessThan(0.02);
});

test("a pool in front of a database that is full first is not the limiter, though it is full as well", () => {
  // 2 cores / 10 ms = 200; the pool of 10 alone would do 10 / 10 ms = 1000, and is near enough to be modelled at 3 ×.
  const found = ceilingOf(model(100, pool("app", "store", 5, 10), cpu("store", 1, 2, 10)))!;
  expect(found.limiter).toMatchObject({ service: "store", resource: "cpu" });
  expect(found.perSecond).toBeCloseTo(200, 6);
});

test("waits at the present load: M/M/1 at a half takes twice as long, and a load beyond the ceiling is said", () => {
  const waits = waitsOf(model(50, cpu("store", 1, 1, 10)));
  expect(Math.abs(waits.stretch[0]! - 2)).toBeLessThan(0.02);
  expect(waits.isSaturated).toBe(false);
  expect(waitsOf(model(150, cpu("store", 1, 1, 10))).isSaturated).toBe(true);
});

test.each<[string, ModelResource[], [number, number] | undefined]>([
  // 400 and 420; with both out of the way 2 × 3 cores / 6 ms = 1000.
  [
    "two that are full at nearly the same load",
    [cpu("app", 2, 2, 10), cpu("store", 1, 4.2, 10), cpu("web", 2, 3, 6)],
    [420, 1000],
  ],
  [
    "a third at nearly the same load as well",
    [cpu("app", 2, 2, 10), cpu("store", 1, 4.2, 10), cpu("web", 2, 2.2, 10)],
    undefined,
  ],
  ["room for one alone gains much", [cpu("app", 2, 2, 10), cpu("store", 1, 6, 10), cpu("web", 2, 5, 10)], undefined],
  ["nothing behind the two was measured", [cpu("app", 2, 2, 10), cpu("store", 1, 4.2, 10)], undefined],
])("limits that fall together: %s", (_, resources, expected) => {
  const system = model(100, ...resources);
  const ceiling = ceilingOf(system)!;
  const found = limitTogether(system, ceiling, ceilingOf(without(system, ceiling.limiter)));
  expect(found && [found.onePerSecond, found.bothPerSecond]).toEqual(expected);
});
