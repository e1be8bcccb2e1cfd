import { expect, test } from "vitest";
import type { ObjectiveResult } from "../../model/report.ts";
import { Draws } from "../../testing/simulator/random.ts";
import { simulate, type Run } from "../../testing/simulator/simulate.ts";
import { loadTo } from "../../testing/simulator/system-walk.ts";
import { threeTier } from "../../testing/simulator/systems/three-tier.ts";
import type { SystemSpec } from "../../testing/simulator/system.ts";
import { buildWindow, type Window } from "../window.ts";
import { objectiveLoads } from "./objective-load.ts";
import { analyseThroughput } from "./throughput.ts";

function system(load: number): SystemSpec {
  const spec = threeTier.build(new Draws(11));
  spec.arrivals = "poisson";
  loadTo(spec, load);
  return spec;
}

const windowOf = ({ table }: Run): Promise<Window> => buildWindow(table, () => Promise.resolve());
const half = system(0.5);
const run = simulate(half, { seed: 1, requests: 2500, sampleEveryMs: 1000 });
const { service, operation } = half.endpoints[0]!;
const objective = (limitMs: number): ObjectiveResult => ({
  text: "",
  endpoint: { service, operation },
  metric: "p95",
  limitMs,
  nowMs: 0,
  met: true,
});

function p95Of(at: Run): number {
  const { durationMs, endpoint } = at.roots;
  const sorted = durationMs.filter((_, i) => endpoint[i] === 0).sort((a, b) => a - b);
  return sorted[Math.floor(0.95 * sorted.length)]!;
}

test("an objective that the simulated system misses from some load on falls near there", async () => {
  // The limit is what the system itself needs at 85 % of its ceiling, run apart.
  const crowded = system(0.85);
  const limit = p95Of(simulate(crowded, { seed: 2, requests: 8000 }));
  const window = await windowOf(run);
  const throughput = analyseThroughput(window, run.resources, 1);
  const [fall] = objectiveLoads(window, throughput, [objective(limit)], 1);
  expect(fall!.fallsAtPerSecond! / crowded.ratePerSecond).toBeGreaterThan(0.85);
  expect(fall!.fallsAtPerSecond! / crowded.ratePerSecond).toBeLessThan(1.15);
  expect(fall!.lowPerSecond!).toBeLessThanOrEqual(fall!.fallsAtPerSecond!);
  expect(fall!.highPerSecond!).toBeGreaterThanOrEqual(fall!.fallsAtPerSecond!);
});

test("a limit without end falls at the ceiling, one of nothing at any load, and without metrics nothing is told", async () => {
  const window = await windowOf(run);
  const throughput = analyseThroughput(window, run.resources, 1);
  const [far, near] = objectiveLoads(window, throughput, [objective(1e7), objective(0.001)], 1);
  expect(far!.fallsAtPerSecond).toBeCloseTo(throughput.ceiling!.perSecond, 0);
  expect(near).toMatchObject({ fallsAtPerSecond: null, lowPerSecond: null, highPerSecond: null });
  expect(near!.detail).toMatch(/missed at any load/);
  const [unknown] = objectiveLoads(window, analyseThroughput(window, undefined, 1), [objective(100)], 1);
  expect(unknown).toMatchObject({ fallsAtPerSecond: null, lowPerSecond: null, highPerSecond: null });
  expect(unknown!.detail).toMatch(/^insufficient data: /);
  expect(objectiveLoads(window, throughput, [{ ...objective(100), endpoint: null }], 1)).toEqual([]);
});
