import { expect, test } from "vitest";
import { Draws } from "./random.ts";
import { simulate } from "./simulate.ts";
import { threeTier } from "./systems/three-tier.ts";

test("samples add up to what the stations did, and looking changes nothing", () => {
  const system = threeTier.build(new Draws(1));
  const run = simulate(system, { seed: 1, requests: 1500, sampleEveryMs: 500 });
  const unseen = simulate(system, { seed: 1, requests: 1500 });
  expect(unseen.resources.samples).toEqual([]);
  expect([...run.roots.durationMs]).toEqual([...unseen.roots.durationMs]);
  const busy = new Map<string, number>();
  const windows = Math.floor(run.windowMs / 500);
  for (const { service, resource, utilisation, capacity } of run.resources.samples) {
    expect(utilisation).toBeGreaterThanOrEqual(0);
    expect(utilisation).toBeLessThanOrEqual(1 + 1e-9);
    const isPool = resource.startsWith("pool:");
    const isDatabase = system.databases.some(({ name }) => name === service);
    const name = isPool ? `pool:${service}:${resource.slice(5)}` : `${isDatabase ? "db" : "cpu"}:${service}`;
    busy.set(name, (busy.get(name) ?? 0) + (utilisation * capacity) / windows);
  }
  // Usage counts work that ends after the nominal window, too: a per cent or two.
  for (const { name, meanBusy } of run.usage) {
    if (!/^(cpu|db|pool):/.test(name) || meanBusy < 0.05) continue;
    expect(Math.abs(busy.get(name)! / meanBusy - 1), name).toBeLessThan(0.03);
  }
});

test("every whole window of the run is seen once", () => {
  const system = threeTier.build(new Draws(2));
  const { resources, windowMs } = simulate(system, { seed: 2, requests: 1000, sampleEveryMs: 1000 });
  const starts = new Set(resources.samples.map(({ windowStartNs }) => windowStartNs));
  expect(starts.size).toBe(Math.floor(windowMs / 1000));
});
