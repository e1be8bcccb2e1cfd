import { expect, test } from "vitest";
import type { Change } from "../../model/change.ts";
import { Draws } from "../../testing/simulator/random.ts";
import { simulate } from "../../testing/simulator/simulate.ts";
import { threeTier } from "../../testing/simulator/systems/three-tier.ts";
import { buildWindow } from "../window.ts";
import type { CapacityModel, ModelResource } from "./capacity-model.ts";
import { resized } from "./changed-model.ts";

const NONE = { service: "", resource: "cpu", instances: 1, capacityEach: 1, background: 0, isEventLoop: false };
/** Two cores; of 10 ms per request web takes 6 and store 4; others take 0.5 of a core, batch 0.3 of that. */
const box: ModelResource = {
  ...NONE,
  service: "box",
  capacityEach: 2,
  demandS: 0.01,
  background: 0.5,
  isHost: true,
  shares: new Map([
    ["web", 0.6],
    ["store", 0.4],
  ]),
  others: new Map([["batch", 0.3]]),
};
const loop: ModelResource = { ...NONE, service: "web", demandS: 0.006, isEventLoop: true };
const quota: ModelResource = { ...NONE, service: "web", resource: "quota", capacityEach: 0.25, demandS: 0.006 };

const { table } = simulate(threeTier.build(new Draws(1)), { seed: 1, requests: 1 });
const window = buildWindow(table, () => Promise.resolve());

async function changed(change: Change): Promise<{ resources: readonly ModelResource[]; reason: string | undefined }> {
  const graph = { services: new Map(), databases: new Map(), flows: [] };
  const model: CapacityModel = { graph, perSecond: 50, resources: [box, loop, quota] };
  const found = resized(await window, model, [], [change]);
  return { resources: found.model.resources, reason: found.cannotTell.get(change) };
}

test("a process of others leaves the machine: its cores are there for requests", async () => {
  const { resources, reason } = await changed({ kind: "without", host: "box", service: "batch" });
  expect(resources[0]).toMatchObject({ demandS: 0.01, background: expect.closeTo(0.2, 9) });
  expect(reason).toBe(undefined);
});

test("a service of the requests leaves the machine: the others' demand is left, 4 of 10 ms", async () => {
  const { resources } = await changed({ kind: "without", host: "box", service: "web" });
  expect(resources[0]).toMatchObject({ demandS: expect.closeTo(0.004, 9), background: 0.5 });
  expect([...resources[0]!.shares!]).toEqual([["store", 1]]);
});

test.each<[string, Change, RegExp]>([
  [
    "a process that no metric counts",
    { kind: "without", host: "box", service: "cron" },
    /no metric counts .* cron on box/,
  ],
  [
    "a machine without metrics",
    { kind: "without", host: "moon", service: "batch" },
    /no metrics of the processors of moon/,
  ],
  ["the waits of a quota", { kind: "cpu", service: "web", cores: 2 }, /how long the quota of web makes requests wait/],
  [
    "a service that is not there",
    { kind: "cpu", service: "gone", cores: 2 },
    /the CPU utilisation of gone is not measured/,
  ],
])("cannot tell: %s", async (_, change, reason) => {
  expect((await changed(change)).reason).toMatch(reason);
});

test("more cores raise a quota; an event loop uses one all the same", async () => {
  const { resources } = await changed({ kind: "cpu", service: "web", cores: 2 });
  expect(resources.map(({ capacityEach }) => capacityEach)).toEqual([2, 1, 2]);
});
