import { describe, expect, test } from "vitest";
import type { HostUse, QuotaUse, ResourceSample, ResourceSamples } from "../../model/resource-samples.ts";
import { unixNs } from "../../model/units.ts";
import { Draws } from "../../testing/simulator/random.ts";
import { simulate } from "../../testing/simulator/simulate.ts";
import { loadTo } from "../../testing/simulator/system-walk.ts";
import { threeTier } from "../../testing/simulator/systems/three-tier.ts";
import { metricTableOf } from "../../testing/metric-table.ts";
import { diagnose } from "../diagnose.ts";
import type { Report } from "../../model/report.ts";
import { readMeasures } from "../resources/read-measures.ts";
import { withoutProcessorTimes } from "../resources/resource-context.ts";
import { buildWindow } from "../window.ts";
import { analyseThroughput } from "./throughput.ts";

/** A simulated system whose metrics say besides that its busiest service runs on a machine with something else. */
const spec = threeTier.build(new Draws(21));
spec.arrivals = "poisson";
loadTo(spec, 0.5);
const run = simulate(spec, { seed: 1, requests: 1500, sampleEveryMs: 250 });
const window = buildWindow(run.table, () => Promise.resolve());
const service = spec.services[1]!.name;
const windows = Math.floor(run.windowMs / 1000);
const own = Float64Array.from({ length: windows }, (_, w) => 0.4 + 0.01 * (w % 3));

function withHost(change: Partial<HostUse> = {}): ResourceSamples {
  const host: HostUse = {
    host: "box",
    cores: 2,
    startNs: Float64Array.from({ length: windows }, (_, w) => w * 1e9),
    windowNs: 1e9,
    busy: own.map((value) => value + 0.2),
    byService: new Map([[service, own]]),
    activePerUsed: Number.NaN,
    ...change,
  };
  return { ...run.resources, hosts: [host] };
}

const analyse = async (resources: ResourceSamples): Promise<ReturnType<typeof analyseThroughput>> =>
  analyseThroughput(await window, resources, 1);
const boxOf = ({ measured }: ReturnType<typeof analyseThroughput>): (typeof measured)[number] | undefined =>
  measured.find(({ use }) => use.service === "box");

test("the machine as it is: its demand by the utilisation law, what others use taken off its cores", async () => {
  const found = await analyse(withHost());
  const box = boxOf(found)!;
  const mean = own.reduce((a, b) => a + b, 0) / windows;
  expect(box.demand.perRequest.value * found.model.perSecond).toBeCloseTo(mean, 1);
  expect(box.model.background).toBeCloseTo(0.2, 6);
  expect(found.report.assumptions!.join()).toContain("0.20 of the 2 cores of box");
});

describe("a machine whose metrics are wrong limits nothing, or the gate says so", () => {
  const times = (factor: number): Partial<HostUse> => ({
    busy: own.map((value) => factor * (value + 0.2)),
    byService: new Map([[service, own.map((value) => factor * value)]]),
  });

  test("milliseconds taken for seconds: a thousand cores are busy of two", async () => {
    const { report } = await analyse(withHost(times(1000)));
    expect(report.status).toBe("gate-failed");
    expect(report.detail).toMatch(/cpu of box: .* use more than there is/);
    expect(report.limiter).toBe(undefined);
  });

  test.each<[string, Partial<HostUse>, string]>([
    ["a thousand cores, and two processors", { cores: 2000, processors: 2 }, "processors of box: 2000 s"],
    ["a loop that runs for 1,000 s a second", { loopSeconds: new Map([[service, 1000]]) }, `event loop of ${service}`],
  ])("%s", async (_, change, detail) => {
    const { report } = await analyse(withHost(change));
    expect(report.status).toBe("gate-failed");
    expect(report.detail).toContain(`clock-law: ${detail}`);
  });

  test("clocks that agree break nothing, nor those of a machine that no request knows", async () => {
    const right = await analyse(withHost({ processors: 2, loopSeconds: new Map([[service, 1.01]]) }));
    expect(right.report.status).toBe("ok");
    const others = await analyse(withHost({ cores: 2000, processors: 2, byService: new Map([["batch", own]]) }));
    expect(others.report.status).toBe("ok");
  });

  test("processor time counted a million times too small: no request is answered for that little", async () => {
    const found = await analyse(withHost({ byService: new Map([[service, own.map((value) => value / 1e6)]]) }));
    expect(found.report.status).toBe("gate-failed");
    expect(found.report.detail).toContain(`least-work: cpu of ${service}`);
    expect(found.report.limiter).toBe(undefined);
  });

  test("counted too small for work that is long: its loop is active, and the machine busy for nobody", async () => {
    const small: Partial<HostUse> = { byService: new Map([[service, own.map((value) => value / 500)]]) };
    const active = new Map([[service, own]]);
    const found = await analyse(withHost({ ...small, activeLoops: active }));
    expect(found.report.status).toBe("gate-failed");
    expect(found.report.detail).toContain("busy for nobody");
    const idle = await analyse(withHost({ ...small, activeLoops: active, busy: own.map(() => 0.02) }));
    expect(idle.report.status).toBe("ok");
  });

  test.each<[string, Partial<HostUse>]>([
    ["no numbers", { busy: own.map(() => Number.NaN) }],
    ["infinite", { busy: own.map(() => Infinity) }],
    ["another hour", { startNs: Float64Array.from({ length: windows }, (_, w) => 3.6e12 + w * 1e9) }],
    ["one window", { startNs: new Float64Array(1), busy: own.slice(0, 1) }],
    ["nobody of the spans on it", { byService: new Map([["batch", own]]) }],
    ["no process seen", { byService: new Map([[service, own.map(() => Number.NaN)]]) }],
  ])("%s", async (_, change) => {
    const found = await analyse(withHost(change));
    expect(boxOf(found)).toBe(undefined);
    const alone = await analyse(run.resources);
    expect(found.report.limiter).toEqual(alone.report.limiter);
    const isOfSpans = change.byService?.has("batch") !== true;
    expect((found.report.assumptions ?? []).join().includes("the processors of box are left out")).toBe(isOfSpans);
  });

  test("a machine that is full of others leaves nothing for sure: the interval begins at the present load or below", async () => {
    const found = await analyse(withHost({ busy: own.map(() => 2), activePerUsed: 1 }));
    const box = boxOf(found)!;
    expect(box.model.background).toBe(0);
    expect(box.capacityLow).toBeLessThan(0.35);
    expect(found.report.assumptions!.join()).toMatch(/are taken to yield to requests/);
  });
});

test("processor times that break a law are no ground for a finding or a cost either", async () => {
  const metrics = metricTableOf({
    name: "process.cpu.time",
    unit: "s",
    kind: "sum",
    temporality: "cumulative",
    monotonic: true,
    resource: { "service.name": service, "host.name": "box" },
    points: Array.from({ length: 12 }, (_, i) => [i, 0.4 * i]),
  });
  const asked = async (resources: ResourceSamples): Promise<Report> =>
    diagnose({ spans: run.table, metrics, resources });
  const right = await asked(withHost());
  const wrong = await asked(withHost({ byService: new Map([[service, own.map((value) => value / 1e6)]]) }));
  const said = "processor times are left out of causes and costs";
  expect(wrong.dataQuality.warnings!.join()).toContain(said);
  expect((right.dataQuality.warnings ?? []).join()).not.toContain(said);
  expect(readMeasures(metrics).series.map(({ measure }) => measure)).toEqual(["cpu-used"]);
  expect(withoutProcessorTimes(metrics).series).toEqual([]);
});

test("a service that nobody counts on a machine that others keep busy: it may be they", async () => {
  const counted = new Set(run.resources.samples.map(({ service: of }) => of));
  const most = own.map((value) => 1.2 * value);
  const part = own.map((value) => value / 10);
  const busy = { busy: most.map((value) => value + 1.4), activePerUsed: 1 };
  const alone = await analyse(withHost({ ...busy, byService: new Map([[service, most]]) }));
  expect(alone.report.status).toBe("insufficient-data");
  expect(alone.report.detail).toMatch(/the work of .+ on box may limit first, and is not measured/);
  const all = new Map([...counted].map((of) => [of, of === service ? most : part]));
  const whole = await analyse(withHost({ ...busy, byService: all }));
  expect(whole.report.detail).not.toContain("on box may limit first");
});

describe("quotas", () => {
  const quota: QuotaUse = {
    service,
    host: "box",
    instances: 1,
    periodsPerSecond: 10,
    stoppedShare: 0.1,
    cores: Number.NaN,
    startNs: Float64Array.from({ length: windows }, (_, w) => w * 1e9),
    windowNs: 1e9,
    used: own,
  };
  const quotaOf = async (change: Partial<QuotaUse>): Promise<number | undefined> => {
    const { measured } = await analyse({ ...run.resources, quotas: [{ ...quota, ...change }] });
    return measured.find(({ use }) => use.resource === "quota")?.model.capacityEach;
  };

  test("known, it is what the metric says; unknown, more than what is used on average", async () => {
    expect(await quotaOf({ cores: 0.5 })).toBe(0.5);
    expect(await quotaOf({})).toBeGreaterThan(0.4);
  });

  test.each<[string, Partial<QuotaUse>]>([
    ["never stopped", { stoppedShare: 0 }],
    ["always stopped", { stoppedShare: 1 }],
    ["no number", { stoppedShare: Number.NaN }],
    ["no use known", { used: own.map(() => Number.NaN) }],
    ["another hour", { startNs: Float64Array.from({ length: windows }, (_, w) => 3.6e12 + w * 1e9) }],
    ["of a service without spans", { service: "elsewhere" }],
  ])("cannot tell: %s", async (_, change) => {
    expect(await quotaOf(change)).toBe(undefined);
  });
});

describe("limits that are not those of the requests", () => {
  const sample = run.resources.samples.find((one) => one.service === service && one.resource === "cpu")!;
  const others = (of: string): ResourceSamples => ({
    ...run.resources,
    samples: [
      ...run.resources.samples,
      ...Array.from(own, (_, w): ResourceSample => {
        const at = { windowStartNs: w * 1e9, windowNs: 1e9, utilisation: 0.98, capacity: 1 };
        return { ...sample, ...at, service: of };
      }),
    ],
  });

  test("a busy process that no span knows limits nothing, and has no demand", async () => {
    const found = await analyse(others("reindex"));
    expect(found.report.limiter).toEqual((await analyse(run.resources)).report.limiter);
    expect(found.measured.some(({ use }) => use.service === "reindex")).toBe(false);
  });

  test("a thousand times the cores: nothing is near its limit, and none is named", async () => {
    const samples = run.resources.samples.map((one) => ({
      ...one,
      capacity: 1000 * one.capacity,
      utilisation: one.utilisation / 1000,
    }));
    const { report } = await analyse({ ...run.resources, samples });
    expect(report.status).toBe("insufficient-data");
    expect(report.detail).toMatch(/too far from the present/);
  });
});

test("metrics without traces tell no ceiling", async () => {
  const { table } = simulate(spec, { seed: 1, requests: 0 });
  const empty = await buildWindow(table, () => Promise.resolve());
  const { report } = analyseThroughput(empty, withHost(), 1);
  expect(report.status).toBe("insufficient-data");
  expect(report.limiter).toBe(undefined);
});

test("what limits, once nothing of it was measured, is named as what may limit", async () => {
  const { service: limiter } = (await analyse(run.resources)).report.limiter!;
  const samples = run.resources.samples.filter((sample) => sample.service !== limiter);
  const { report } = await analyse({ baseUnixNs: unixNs(run.resources.baseUnixNs), samples });
  expect(report.status).toBe("insufficient-data");
  expect(report.detail).toContain(limiter);
});
