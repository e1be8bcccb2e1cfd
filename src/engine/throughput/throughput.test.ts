import { describe, expect, test } from "vitest";
import type { ResourceSample, ResourceSamples } from "../../model/resource-samples.ts";
import { unixNs } from "../../model/units.ts";
import { Draws } from "../../testing/simulator/random.ts";
import { simulate, type Run } from "../../testing/simulator/simulate.ts";
import { loadTo, serviceOf } from "../../testing/simulator/system-walk.ts";
import { threeTier } from "../../testing/simulator/systems/three-tier.ts";
import type { SystemSpec } from "../../testing/simulator/system.ts";
import { diagnose } from "../diagnose.ts";
import { whatIf } from "../what-if.ts";
import { buildWindow, type Window } from "../window.ts";
import { analyseThroughput } from "./throughput.ts";

/** A gateway, a service with a pool of its own, and a database, at a share of what its busiest part can do. */
function system(
  seed: number,
  load: number,
): { spec: SystemSpec; ceilingPerSecond: number; app: string; store: string } {
  const spec = threeTier.build(new Draws(seed));
  spec.arrivals = "poisson";
  loadTo(spec, load);
  return {
    spec,
    ceilingPerSecond: spec.ratePerSecond / load,
    app: spec.services[1]!.name,
    store: spec.databases[0]!.name,
  };
}

const play = (spec: SystemSpec, seed: number, requests = 2500): Run =>
  simulate(spec, { seed, requests, sampleEveryMs: 1000 });

const windowOf = ({ table }: Run): Promise<Window> => buildWindow(table, () => Promise.resolve());

const changed = (
  resources: ResourceSamples,
  change: (sample: ResourceSample) => ResourceSample[],
): ResourceSamples => ({
  ...resources,
  samples: resources.samples.flatMap(change),
});

describe("with metrics of everything", () => {
  test.each([1, 2])("seed %i: from half load the ceiling within 5 %, limiter and next in order", async (seed) => {
    const { spec, ceilingPerSecond } = system(seed, 0.5);
    const run = play(spec, seed);
    const { report } = analyseThroughput(await windowOf(run), run.resources, 1);
    // The machines are sized by the work that the steps ask for: their order is the truth of limiter and next.
    expect(report.status).toBe("ok");
    expect(Math.abs(report.limiter!.ceilingPerSecond / ceilingPerSecond - 1)).toBeLessThan(0.05);
    expect(report.next!.ceilingPerSecond).toBeGreaterThan(report.limiter!.ceilingPerSecond);
    for (const row of report.resources!) {
      if (row.resource !== "cpu" || row.ceilingPerSecond === undefined) continue;
      expect(row.ceilingPerSecond).toBeGreaterThanOrEqual(report.limiter!.ceilingPerSecond);
    }
  });

  test("the measured pool is the limiter where it is the smallest part", async () => {
    const { spec, app, store } = system(3, 0.3);
    serviceOf(spec, app).pools[store] = { size: 1, spans: true };
    const { report } = analyseThroughput(await windowOf(play(spec, 3)), play(spec, 3).resources, 1);
    expect(report.limiter).toMatchObject({ service: app, resource: `pool:${store}` });
  });
});

test.each([
  ["nobody ever waits for it: held by those who use it, no limit", 0, false],
  ["once in a while somebody waits: a limit", 1, true],
])("a pool that is always full, and %s", async (_, waiting, limits) => {
  const { spec, app, store } = system(3, 0.3);
  serviceOf(spec, app).pools[store] = { size: 1, spans: false };
  const run = play(spec, 3);
  let readings = 0;
  const full = changed(run.resources, (sample) =>
    sample.resource === `pool:${store}` && sample.service === app
      ? [{ ...sample, utilisation: 1, waiting: readings++ % 5 === 0 ? waiting : 0 }]
      : [sample],
  );
  const { report } = analyseThroughput(await windowOf(run), full, 1);
  expect(readings).toBeGreaterThan(8);
  expect((report.resources ?? []).some(({ resource }) => resource === `pool:${store}`)).toBe(limits);
  expect((report.assumptions ?? []).join().includes("nobody waits for it")).toBe(!limits);
});

describe("what is not known is said", () => {
  const { spec, app, store } = system(4, 0.5);
  const run = play(spec, 4);

  test("spans alone: no ceiling, and the CPUs that are missing", async () => {
    const { report } = analyseThroughput(await windowOf(run), undefined, 1);
    expect(report.status).toBe("insufficient-data");
    expect(report.detail).toContain(`the CPU of ${app}`);
    expect(report.limiter).toBe(undefined);
  });

  test("a database unmeasured that may limit first", async () => {
    const part = changed(run.resources, (s) => (s.service === store ? [] : [s]));
    const { report } = analyseThroughput(await windowOf(run), part, 1);
    expect(report.status).toBe("insufficient-data");
    expect(report.detail).toMatch(new RegExp(`the CPU of the database ${store} may limit first`));
    expect(report.resources!.length).toBeGreaterThan(0);
  });

  test.each<[string, (sample: ResourceSample) => ResourceSample[]]>([
    ["percent taken for shares", (s) => [{ ...s, utilisation: 100 * s.utilisation }]],
    ["NaN", (s) => [{ ...s, utilisation: Number.NaN }]],
    ["infinite", (s) => [{ ...s, utilisation: Infinity }]],
    ["one sample", (s) => (s.windowStartNs === 0 ? [s] : [])],
    ["a clock that is an hour off", (s) => [{ ...s, windowStartNs: s.windowStartNs + 3.6e12 }]],
    [
      "seconds taken for nanoseconds",
      (s) => [{ ...s, windowStartNs: s.windowStartNs / 1e9, windowNs: s.windowNs / 1e9 }],
    ],
  ])("%s: no ceiling rather than a wrong one", async (_, change) => {
    const { report } = analyseThroughput(await windowOf(run), changed(run.resources, change), 1);
    expect(report.status).not.toBe("ok");
    expect(report.detail).not.toBe("");
  });

  test("no spans at all", async () => {
    const { table } = simulate(spec, { seed: 1, requests: 0 });
    const window = await buildWindow(table, () => Promise.resolve());
    expect(analyseThroughput(window, { baseUnixNs: unixNs(0n), samples: [] }, 1).report.status).toBe(
      "insufficient-data",
    );
  });
});

describe("a limiter near its limit is a finding, one with room is none", () => {
  test.each([
    [0.5, false],
    [0.93, true],
  ])("at %f of the limit", async (load, isFound) => {
    const { spec } = system(5, load);
    const run = play(spec, 5);
    const { findings, throughput } = await diagnose({ spans: run.table, resources: run.resources });
    const about = findings.filter(
      (f) =>
        f.severity !== "note" &&
        f.subject.service === throughput.limiter?.service &&
        f.evidence.some((e) => e.kind === "series"),
    );
    expect(about.length > 0).toBe(isFound);
    expect(findings.map(({ rank }) => rank)).toEqual(findings.map((_, i) => i + 1));
  });
});

describe("what-if under load", () => {
  test("twice the replicas of the limiter: a higher ceiling, another limiter, and shorter waits", async () => {
    const { spec } = system(6, 0.85);
    const run = play(spec, 6);
    const { throughput } = await diagnose({ spans: run.table, resources: run.resources });
    const limiter = throughput.limiter!;
    const row = throughput.resources!.find((r) => r.service === limiter.service && r.resource === limiter.resource)!;
    const change = `service=${limiter.service},cpu=${2 * row.capacity!}`;
    const { ceiling, endpoints, cannotTell } = await whatIf(run.table, [change], { resources: run.resources });
    expect(cannotTell).toEqual([]);
    expect(ceiling!.limiterNow).toMatchObject({ service: limiter.service });
    expect(ceiling!.predicted).toBeGreaterThan(ceiling!.now);
    expect(ceiling!.predicted).toBeCloseTo(throughput.next!.ceilingPerSecond, -1);
    for (const { p99 } of endpoints) expect(p99.predicted).toBeLessThanOrEqual(p99.now * 1.001);
  });

  test("sizes that are as they were change nothing", async () => {
    const { spec, store } = system(7, 0.6);
    const run = play(spec, 7);
    const cores = spec.databases.find(({ name }) => name === store)!.cores;
    const { endpoints, ceiling } = await whatIf(run.table, [`service=${store},cpu=${cores}`], {
      resources: run.resources,
    });
    for (const { p50, p99 } of endpoints) expect([p50.predicted, p99.predicted]).toEqual([p50.now, p99.now]);
    expect(ceiling!.predicted).toBe(ceiling!.now);
  });

  test("without metrics replicas cannot be told, and nothing changes", async () => {
    const { spec, app } = system(8, 0.6);
    const run = play(spec, 8, 800);
    const { endpoints, ceiling, cannotTell } = await whatIf(run.table, [`service=${app},replicas=8`]);
    expect(ceiling).toBe(null);
    expect(cannotTell[0]).toBe(`service=${app},replicas=8: the CPU utilisation of ${app} is not measured`);
    for (const { p99 } of endpoints) expect(p99.predicted).toBe(p99.now);
  });
});
