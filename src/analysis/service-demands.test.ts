import { expect, test } from "vitest";
import { Random } from "./random.ts";
import { serviceDemands, type DemandClass, type ServiceDemands } from "./service-demands.ts";

/** Rates that wander about `base` by `spread`, independent of each other by seed. */
function wandering(name: string, base: number, spread: number, seed: number, windows = 120): DemandClass {
  const random = new Random(seed);
  return { name, perSecond: Float64Array.from({ length: windows }, () => base + spread * (2 * random.uniform() - 1)) };
}

function busyOf(
  classes: readonly DemandClass[],
  demands: readonly number[],
  background: number,
  noise: number,
): Float64Array {
  const random = new Random(99);
  return Float64Array.from(classes[0]!.perSecond, (_, i) =>
    classes.reduce((sum, c, k) => sum + demands[k]! * c.perSecond[i]!, background + noise * (2 * random.uniform() - 1)),
  );
}

function demandsOf(classes: readonly DemandClass[], busy: Float64Array): ServiceDemands {
  const found = serviceDemands(classes, busy, { seed: 1 });
  if (found.kind !== "demands") throw new Error(`${found.what}: ${found.have} of ${found.need}`);
  return found;
}

test("two classes that move independently, and what is busy without them", () => {
  const classes = [wandering("list", 100, 40, 1), wandering("order", 30, 15, 2)];
  const { demands, background, r2, meanDemand } = demandsOf(classes, busyOf(classes, [0.002, 0.01], 0.3, 0.02));
  expect(demands.map((d) => d.classes)).toEqual([["list"], ["order"]]);
  for (const [i, truth] of [0.002, 0.01].entries()) {
    const { value, low, high } = demands[i]!.demand;
    expect(Math.abs(value / truth - 1)).toBeLessThan(0.05);
    expect(low <= truth && truth <= high).toBe(true);
  }
  expect(background.low <= 0.3 && 0.3 <= background.high).toBe(true);
  expect(r2).toBeGreaterThan(0.9);
  // (100 · 2 ms + 30 · 10 ms) / 130 by hand
  expect(meanDemand.low <= 0.5 / 130 && 0.5 / 130 <= meanDemand.high).toBe(true);
});

test("classes in a fixed ratio are one, with the demand of their mix", () => {
  const list = wandering("list", 100, 40, 1);
  const items = { name: "items", perSecond: list.perSecond.map((x) => 3 * x) };
  const { demands } = demandsOf([list, items], busyOf([list, items], [0.001, 0.002], 0, 0.001));
  expect(demands.map((d) => d.classes)).toEqual([["list", "items"]]);
  // (1 ms + 3 · 2 ms) / 4
  expect(demands[0]!.demand.value).toBeCloseTo(0.00175, 5);
});

test("a constant load tells no background from demand: none is claimed", () => {
  const steady = wandering("list", 100, 0.1, 3);
  const { background, demands } = demandsOf([steady], busyOf([steady], [0.004], 0, 0.001));
  expect(background.value).toBe(0);
  expect(demands[0]!.demand.value).toBeCloseTo(0.004, 5);
});

test("an unused class has no demand of its own, and none is negative", () => {
  const classes = [wandering("heavy", 50, 25, 4), wandering("light", 200, 90, 5)];
  const { demands } = demandsOf(classes, busyOf(classes, [0.01, 0], 0, 0.05));
  expect(demands.find((d) => d.classes[0] === "light")!.demand.value).toBeLessThan(0.0001);
  for (const { demand } of demands) expect(demand.low).toBeGreaterThanOrEqual(0);
});

test.each([
  ["too few windows", 5, 10, "windows"],
  ["no requests", 20, 0, "requests"],
])("%s", (_, windows, base, what) => {
  const found = serviceDemands([wandering("x", base, 0, 1, windows)], new Float64Array(windows).fill(0.5), { seed: 1 });
  expect(found).toMatchObject({ kind: "insufficient-data", what });
});
