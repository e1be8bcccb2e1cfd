import { expect, test } from "vitest";
import { Draws } from "../../testing/simulator/random.ts";
import { simulate, type Run } from "../../testing/simulator/simulate.ts";
import { cloneSystem, loadTo, serviceOf } from "../../testing/simulator/system-walk.ts";
import { threeTier } from "../../testing/simulator/systems/three-tier.ts";
import { whatIf } from "../what-if.ts";

function p95Of({ roots }: Run): number {
  const sorted = roots.durationMs.filter((_, i) => roots.endpoint[i] === 0).sort((a, b) => a - b);
  return sorted[Math.floor(0.95 * sorted.length)]!;
}

/** The same system with a pool that is nearly used up, whose acquisitions have spans or not. */
test.each([true, false])("a larger pool, spans of acquisitions %s: p95 near that of the re-run", async (spans) => {
  const spec = threeTier.build(new Draws(31));
  spec.arrivals = "poisson";
  loadTo(spec, 0.3);
  const app = spec.services[1]!.name;
  const store = spec.databases[0]!.name;
  serviceOf(spec, app).pools[store] = { size: 2, spans };
  // Connections are held for longer as the load grows: this much asked for uses some four fifths of the pool.
  const trial = simulate(cloneSystem(spec), { seed: 1, requests: 1500 });
  const used = trial.usage.find(({ name }) => name === `pool:${app}:${store}`)!;
  spec.ratePerSecond *= 0.65 / (used.meanBusy / used.capacity);
  const larger = cloneSystem(spec);
  serviceOf(larger, app).pools[store] = { size: 6, spans };
  const run = simulate(spec, { seed: 2, requests: 3000, sampleEveryMs: 500 });
  const truth = p95Of(simulate(larger, { seed: 3, requests: 3000 }));
  const { endpoints } = await whatIf(run.table, [`service=${app},pool:${store}=6`], { resources: run.resources });
  const { service, operation } = spec.endpoints[0]!;
  const { p95 } = endpoints.find((e) => e.service === service && e.operation === operation)!;
  expect(p95.now).toBeGreaterThan(1.2 * truth);
  expect(Math.abs(p95.predicted / truth - 1)).toBeLessThan(0.25);
});
