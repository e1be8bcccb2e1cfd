import { describe, expect, test } from "vitest";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { readMeasures } from "./read-measures.ts";
import { type ResourceReading, resourceReadings } from "./readings.ts";
import { byService, type ServiceMeasures } from "./service-measures.ts";
import { resourceSamples, useTable } from "./use-table.ts";

const WINDOWS = 12;
const resource = { "service.name": "zones", "service.instance.id": "zones-1", "host.name": "vm" };
type Labels = Record<string, string>;

const gauge = (
  name: string,
  unit: string,
  value: number | readonly number[],
  labels: Labels = {},
  of = resource,
): SeriesObject => ({
  name,
  unit,
  kind: "gauge",
  resource: of,
  labels,
  points: Array.from({ length: WINDOWS }, (_, i) => [
    10 * i,
    typeof value === "number" ? value : value[i % value.length]!,
  ]),
});
/** A counter that grows by `perSecond`. */
const counter = (name: string, unit: string, perSecond: number, labels: Labels = {}, of = resource): SeriesObject => ({
  name,
  unit,
  kind: "sum",
  temporality: "cumulative",
  monotonic: true,
  resource: of,
  labels,
  points: Array.from({ length: WINDOWS }, (_, i) => [10 * i, 1000 + 10 * i * perSecond]),
});
const pool = (used: number, idle: number, max: number, waiting: number): SeriesObject[] => [
  gauge("db.client.connection.count", "{connection}", used, {
    "db.client.connection.state": "used",
    "db.client.connection.pool.name": "orders",
  }),
  gauge("db.client.connection.count", "{connection}", idle, {
    "db.client.connection.state": "idle",
    "db.client.connection.pool.name": "orders",
  }),
  gauge("db.client.connection.max", "{connection}", max, { "db.client.connection.pool.name": "orders" }),
  gauge("db.client.connection.pending_requests", "{request}", waiting, { "db.client.connection.pool.name": "orders" }),
];
const host = (busy: number, idle: number): SeriesObject[] => [
  counter("system.cpu.time", "s", busy, { "system.cpu.state": "user" }),
  counter("system.cpu.time", "s", idle, { "system.cpu.state": "idle" }),
];
const system = (...series: SeriesObject[]): ServiceMeasures => byService(readMeasures(metricTableOf(...series)));
const usedUp = (...series: SeriesObject[]): string[] =>
  resourceReadings(system(...series))
    .filter((one) => one.saturated)
    .map((one) => `${one.resource}: ${one.mechanism}`);

describe("what is used up", () => {
  test.each<[string, SeriesObject[], string[]]>([
    ["a limit", [gauge("k8s.container.cpu_limit_utilization", "1", 0.97)], ["cpu: cpu-saturated"]],
    [
      "the same in per cent, of unit 1",
      [gauge("k8s.container.cpu_limit_utilization", "1", 97)],
      ["cpu: cpu-saturated"],
    ],
    ["a limit, not", [gauge("k8s.container.cpu_limit_utilization", "1", 0.6)], []],
    [
      "the event loop",
      [gauge("nodejs.eventloop.utilization", "1", 0.98), counter("process.cpu.time", "s", 0.97)],
      ["event-loop: cpu-saturated"],
    ],
    [
      "the event loop of a process that gets no processor",
      [gauge("nodejs.eventloop.utilization", "1", 0.98), counter("process.cpu.time", "s", 0.1)],
      [],
    ],
    [
      "the event loop by its counters, whatever the gauge says",
      [
        gauge("nodejs.eventloop.utilization", "1", 0.4),
        counter("nodejs.eventloop.time", "s", 0.97, { "nodejs.eventloop.state": "active" }),
        counter("nodejs.eventloop.time", "s", 0.03, { "nodejs.eventloop.state": "idle" }),
      ],
      ["event-loop: cpu-saturated"],
    ],
    [
      "a loop that is awake but does not compute",
      [gauge("nodejs.eventloop.utilization", "1", [0.6, 0.88]), counter("process.cpu.time", "s", 0.05)],
      [],
    ],
    ["a gauge that stands still is a mean since the start", [gauge("nodejs.eventloop.utilization", "1", 0.85)], []],
    [
      "pauses",
      [gauge("nodejs.eventloop.utilization", "1", [0.4, 0.6]), gauge("nodejs.eventloop.delay.max", "s", 0.4)],
      ["event-loop: event-loop-blocked"],
    ],
    [
      "a quota",
      [
        counter("container.cpu.throttling_data.throttled_periods", "{periods}", 4),
        counter("container.cpu.throttling_data.periods", "{periods}", 10),
      ],
      ["quota: cpu-throttled"],
    ],
    [
      "a quota, seldom",
      [
        counter("container.cpu.throttling_data.throttled_periods", "{periods}", 0.2),
        counter("container.cpu.throttling_data.periods", "{periods}", 10),
      ],
      [],
    ],
    ["a full pool for which requests wait", pool(10, 0, 10, 3), ["pool:orders: pool-exhausted"]],
    ["a full pool that nobody waits for", pool(10, 0, 10, 0), []],
    ["a pool with room", pool(4, 6, 10, 0), []],
    ["a disk", [counter("system.disk.io_time", "s", 0.95, { device: "sda" })], ["disk: disk-saturated"]],
    [
      "memory",
      [gauge("container.memory.usage", "By", 95e6), gauge("container.memory.limit", "By", 100e6)],
      ["memory: memory-pressure"],
    ],
    [
      "memory that grows",
      [
        gauge(
          "process.memory.usage",
          "By",
          Array.from({ length: WINDOWS }, (_, i) => 100e6 + 20e6 * i),
        ),
      ],
      ["memory: memory-leak"],
    ],
    ["memory that goes up and down", [gauge("process.memory.usage", "By", [100e6, 180e6, 120e6, 200e6])], []],
    [
      "a machine used by others",
      [...host(1.9, 0.1), counter("process.cpu.time", "s", 0.3)],
      ["host-cpu: noisy-neighbour"],
    ],
    [
      "a machine used by the system itself",
      [...host(1.9, 0.1), counter("process.cpu.time", "s", 1.8)],
      ["host-cpu: run-queue"],
    ],
    ["an idle machine", [...host(0.4, 1.6), counter("process.cpu.time", "s", 0.3)], []],
    [
      "connections of a database",
      [
        gauge("postgresql.backends", "1", 98, { "postgresql.database.name": "orders" }),
        gauge("postgresql.connection.max", "{connections}", 100, { "postgresql.database.name": "orders" }),
      ],
      ["connections: pool-exhausted"],
    ],
  ])("%s", (_, series, want) => {
    expect(usedUp(...series)).toEqual(want);
  });

  test("collecting garbage, from a histogram of pauses: 2 s of pauses in 10 s", () => {
    const points = Array.from({ length: WINDOWS }, (_, i) => ({
      at: 10 * i,
      start: -10,
      value: 2 * (i + 1),
      count: 20 * (i + 1),
    }));
    expect(
      usedUp({ name: "v8js.gc.duration", unit: "s", kind: "histogram", temporality: "cumulative", resource, points }),
    ).toEqual(["gc: garbage-collection"]);
  });
});

test("the table of resources: mean, worst window and share above the line", () => {
  const half = [0.2, 0.2, 0.9, 0.9];
  const rows = useTable(
    resourceReadings(system(gauge("k8s.container.cpu_limit_utilization", "1", half), ...pool(2, 8, 10, 0))),
  );
  expect(rows).toEqual([
    { service: "zones", resource: "cpu", host: "vm", utilisation: 0.55, worstUtilisation: 0.9, shareAboveLine: 0.5 },
    {
      service: "zones",
      resource: "pool:orders",
      host: "vm",
      capacity: 10,
      utilisation: 0.2,
      worstUtilisation: 0.2,
      shareAboveLine: 0,
    },
  ]);
});

test("a machine stands in the table once, under its own name", () => {
  const other = { ...resource, "service.name": "gateway", "service.instance.id": "gateway-1" };
  const rows = useTable(
    resourceReadings(
      system(...host(1, 1), counter("process.cpu.time", "s", 0.3), counter("process.cpu.time", "s", 0.3, {}, other)),
    ),
  );
  expect(rows.filter((row) => row.resource === "cpu" && row.service === "vm")).toMatchObject([
    { host: "vm", capacity: 2, utilisation: 0.5 },
  ]);
  expect(rows.some((row) => row.resource === "host-cpu")).toBe(false);
});

test("samples for the capacity analysis, by instance and window", () => {
  const second = { ...resource, "service.instance.id": "zones-2" };
  const measures = readMeasures(
    metricTableOf(
      gauge("k8s.container.cpu_limit_utilization", "1", 0.5),
      gauge("k8s.container.cpu_limit_utilization", "1", 0.7, {}, second),
    ),
  );
  const { samples } = resourceSamples(measures);
  expect(samples.length).toBe(2 * WINDOWS);
  expect(samples[0]).toMatchObject({
    service: "zones",
    instance: "zones-1",
    host: "vm",
    resource: "cpu",
    windowNs: 10e9,
    utilisation: 0.5,
  });
  expect(new Set(samples.map((one) => `${one.instance} ${one.utilisation}`))).toEqual(
    new Set(["zones-1 0.5", "zones-2 0.7"]),
  );
});

test("the reading says what it saw, and of which metric", () => {
  const [reading] = resourceReadings(system(gauge("k8s.container.cpu_limit_utilization", "1", 0.97))) as [
    ResourceReading,
  ];
  expect(reading.text).toBe("CPU of zones: 97 % on average, 97 % in the worse half of the time, at most 97 %");
  expect(reading.metrics).toEqual(["k8s.container.cpu_limit_utilization"]);
});

describe("a busy machine", () => {
  const loop = (active: number, cores: number): SeriesObject[] => [
    counter("nodejs.eventloop.time", "s", active, { "nodejs.eventloop.state": "active" }),
    counter("nodejs.eventloop.time", "s", 1 - active, { "nodejs.eventloop.state": "idle" }),
    counter("process.cpu.time", "s", cores),
  ];
  test.each<[string, SeriesObject[], string[]]>([
    [
      "is felt by a process that goes without a processor for half of the time it is awake",
      loop(0.4, 0.2),
      ["host-cpu: noisy-neighbour"],
    ],
    ["is not felt by one that gets a processor at once", loop(0.4, 0.38), []],
    [
      "is felt as far as is known where nothing tells",
      [counter("process.cpu.time", "s", 0.2)],
      ["host-cpu: noisy-neighbour"],
    ],
  ])("%s", (_, own, expected) => {
    expect(usedUp(...own, ...host(2, 0.01))).toEqual(expected);
  });

  test("does not excuse a loop that stands still while its process gets all the processor it wants", () => {
    const delay = gauge("nodejs.eventloop.delay.max", "s", 0.3);
    expect(usedUp(...loop(0.3, 0.28), delay, ...host(2, 0.01))).toEqual(["event-loop: event-loop-blocked"]);
    expect(usedUp(...loop(0.3, 0.1), delay, ...host(2, 0.01))).toEqual(["host-cpu: noisy-neighbour"]);
  });
});

test("a part of a sum that is no number at any time leaves the whole out, and says so", () => {
  const user = counter("process.cpu.time", "s", 0.3, { "cpu.mode": "user" });
  const kernel = counter("process.cpu.time", "s", 0.1, { "cpu.mode": "system" });
  const withoutNumber = (isLost: (i: number) => boolean): SeriesObject => ({
    ...user,
    points: Array.from({ length: WINDOWS }, (_, i) => [10 * i, isLost(i) ? Number.NaN : 1000 + 3 * i]),
  });
  const none = withoutNumber(() => true);
  const used = (...series: SeriesObject[]): number | undefined =>
    readMeasures(metricTableOf(...series))
      .series.find(({ measure }) => measure === "cpu-used")
      ?.values.at(-1);
  expect(used(user, kernel)).toBeCloseTo(0.4, 9);
  expect(used(none, kernel)).toBe(undefined);
  expect(readMeasures(metricTableOf(none, kernel)).warnings.join()).toContain("process.cpu.time of zones is left out");
  const falling = (every: number): SeriesObject => ({
    ...user,
    points: Array.from({ length: WINDOWS }, (_, i) => [10 * i, 3 * (i % every)]),
  });
  expect(used(falling(2), kernel)).toBe(undefined);
  // One restart in eleven steps: 0.3 and 0.1 per second in the last of them.
  expect(used(falling(9), kernel)).toBeCloseTo(0.4, 9);
  // One point of many is no part that is missing.
  expect(
    used(
      withoutNumber((i) => i === 4),
      kernel,
    ),
  ).toBeCloseTo(0.4, 9);
});

test("processors that are counted one by one, and loops that are active and idle, tell the unit of their times", () => {
  const one = (cpu: string, state: string, perSecond: number): SeriesObject =>
    counter("system.cpu.time", "s", perSecond, { cpu, "system.cpu.state": state });
  const machine = [
    one("cpu0", "user", 300),
    one("cpu0", "idle", 700),
    one("cpu1", "user", 100),
    one("cpu1", "idle", 900),
  ];
  const loop = (state: string, perSecond: number): SeriesObject =>
    counter("nodejs.eventloop.time", "s", perSecond, { "nodejs.eventloop.state": state });
  const measures = readMeasures(
    metricTableOf(...machine, loop("active", 200), loop("idle", 800), counter("process.cpu.time", "s", 0.2)),
  );
  const [found] = resourceSamples(measures).hosts!;
  expect(found).toMatchObject({ cores: 2000, processors: 2 });
  expect(found!.loopSeconds!.get("zones")).toBeCloseTo(1000, 6);
  expect(found!.activeLoops!.get("zones")!.at(-1)).toBeCloseTo(200, 6);
});

test("limits of a container as kube-state-metrics 2 tells them: cores, and bytes under the same name", () => {
  const of = { "service.name": "", "host.name": "", "service.instance.id": "" };
  const container = { container: "api", pod: "api-1", namespace: "shop" };
  const limit = (what: string, unit: string, value: number): SeriesObject =>
    gauge("kube_pod_container_resource_limits", "", value, { ...container, resource: what, unit }, of);
  const services = system(
    counter("container_cpu_usage_seconds_total", "", 0.1, container, of),
    gauge("container_memory_working_set_bytes", "", 2e8, container, of),
    limit("cpu", "core", 0.5),
    limit("memory", "byte", 5e8),
    limit("ephemeral_storage", "byte", 1e9),
  );
  const told = resourceReadings(services).map(({ resource: name, utilisation }) => [name, utilisation.at(-1)]);
  // 0.1 of 0.5 cores; 200 of 500 MB.
  expect(Object.fromEntries(told)).toMatchObject({ cpu: 0.2, memory: 0.4 });
});
