import { expect, test } from "vitest";
import { SpanTableBuilder } from "../../model/span-table-builder.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { resourceContext } from "../resources/resource-context.ts";
import { buildWindow } from "../window.ts";
import type { CheckResult, ConfigurationCheck } from "./configuration-check.ts";
import { cpuQuota } from "./cpu-quota.ts";
import { databaseConnections } from "./database-connections.ts";
import { eventLoop } from "./event-loop.ts";
import { keepAlive } from "./keep-alive.ts";
import { listenQueue } from "./listen-queue.ts";
import { threadPool } from "./thread-pool.ts";

async function run(check: ConfigurationCheck, ...series: readonly SeriesObject[]): Promise<CheckResult> {
  const window = await buildWindow(new SpanTableBuilder().finish().table, async () => {});
  const resources = resourceContext(metricTableOf(...series), undefined, window, undefined);
  return check.run({ window, views: [], resources });
}

type More = Partial<Pick<SeriesObject, "unit" | "labels" | "resource">>;
const points = (of: (i: number) => number): SeriesObject["points"] =>
  Array.from({ length: 11 }, (_, i) => [10 * i, of(i)] as const);
const gauge = (
  service: string,
  name: string,
  value: number | ((i: number) => number),
  more: More = {},
): SeriesObject => ({
  name,
  kind: "gauge",
  resource: { "service.name": service, ...more.resource },
  ...(more.unit === undefined ? {} : { unit: more.unit }),
  ...(more.labels === undefined ? {} : { labels: more.labels }),
  points: points(typeof value === "number" ? () => value : value),
});
/** A counter that grows by so much per second. */
const counter = (service: string, name: string, perSecond: number, more: More = {}): SeriesObject => ({
  ...gauge(service, name, (i) => 10 * i * perSecond, more),
  kind: "sum",
  temporality: "cumulative",
  monotonic: true,
});

const pool = (service: string, instance: string, size: number): SeriesObject =>
  gauge(service, "db.client.connection.max", size, {
    resource: { "service.instance.id": instance },
    labels: { "db.client.connection.pool.name": "shop" },
  });
const granted = gauge("", "postgresql.connection.max", 100, { resource: { "service.name": "", "host.name": "db" } });

test("all pools together against max_connections", async () => {
  const fits = await run(
    databaseConnections,
    pool("web", "1", 20),
    pool("web", "2", 20),
    pool("jobs", "1", 10),
    granted,
  );
  expect(fits.fine).toMatchObject([
    { text: "shop: web 2 × 20 + jobs 1 × 10 = 50 connections of max_connections 100", tightness: 0.5 },
  ]);
  const web = ["1", "2", "3"].map((instance) => pool("web", instance, 40));
  const open = (n: number): SeriesObject =>
    gauge("", "postgresql.backends", n, { resource: { "postgresql.database.name": "shop" } });
  const quiet = await run(databaseConnections, ...web, granted, open(20));
  // (100 - 5) / 3 instances = 31 each.
  expect(quiet.problems).toMatchObject([{ service: "shop", change: "pool.max: 40 -> 31" }]);
  expect(quiet.problems[0]).not.toHaveProperty("harm");
  const full = await run(databaseConnections, ...web, granted, open(97));
  expect(full.problems[0]!.harm!.text).toBe("97 of 100 connections are open (97 %)");
});

const throttled = (share: number, ...more: SeriesObject[]): SeriesObject[] => [
  counter("api", "container.cpu.throttling_data.periods", 10, { unit: "{periods}" }),
  counter("api", "container.cpu.throttling_data.throttled_periods", 10 * share, { unit: "{periods}" }),
  counter("api", "container.cpu.throttling_data.throttled_time", 0.2e9, { unit: "ns" }),
  counter("api", "process.cpu.time", 0.5, { unit: "s" }),
  ...more,
];

test("a quota that stops its process, by what is used and what it stands still for", async () => {
  const limit = gauge("api", "kube_pod_container_resource_limits_cpu_cores", 0.5);
  // (0.5 used + 0.2 stood still) / 0.7 = 1.0 cores.
  expect((await run(cpuQuota, ...throttled(0.4, limit))).problems).toMatchObject([
    { service: "api", setting: "cpu.max", change: "cpu.max: 0.5 -> 1 cores", mechanism: "cpu-throttled" },
  ]);
  expect((await run(cpuQuota, ...throttled(0.4))).problems[0]!.change).toBe("cpu.max: (not in the metrics) -> 1 cores");
  const fine = await run(cpuQuota, ...throttled(0.02, limit));
  expect(fine.problems).toEqual([]);
  expect(fine.fine[0]!.text).toBe(
    "api: stopped in 2 % of the periods, 0.5 of 0.5 cores in use in the busiest fifth of the time",
  );
});

test("more threads than the quota has cores use it up early in each period", async () => {
  const threads = gauge("api", "go_sched_gomaxprocs_threads", 8);
  const limit = gauge("api", "kube_pod_container_resource_limits_cpu_cores", 2);
  const { problems } = await run(cpuQuota, ...throttled(0.4, limit, threads));
  expect(problems).toMatchObject([
    { setting: "GOMAXPROCS", change: "runtime threads (GOMAXPROCS, ActiveProcessorCount): 8 -> 2" },
  ]);
  expect(problems[0]!.arithmetic).toContain("after 25 ms of each period, and stand still for 75 ms");
});

test("how many event loops the load needs", async () => {
  const busy = gauge("web", "nodejs.eventloop.utilization", (i) => 0.9 + 0.05 * (i % 2), { unit: "1" });
  // The busier half: 0.95 / 0.7 = 1.36, which is two.
  expect((await run(eventLoop, busy)).problems).toMatchObject([{ service: "web", change: "replicas: 1 -> 2" }]);
  const calm = gauge("web", "nodejs.eventloop.utilization", (i) => 0.2 + 0.1 * (i % 2), { unit: "1" });
  expect(await run(eventLoop, calm)).toMatchObject({
    problems: [],
    fine: [{ tightness: expect.closeTo(0.3, 9) as number }],
  });
});

test("another process does not help where the machine has no processor to spare", async () => {
  const on = { resource: { "host.name": "box" } };
  const loop = gauge("web", "nodejs.eventloop.utilization", (i) => 0.9 + 0.05 * (i % 2), { unit: "1", ...on });
  const machine = (busy: number): SeriesObject[] =>
    ["user", "idle"].map((state, i) =>
      counter("web", "system.cpu.time", i === 0 ? busy : 2 - busy, {
        unit: "s",
        labels: { "system.cpu.state": state },
        ...on,
      }),
    );
  const used = counter("web", "process.cpu.time", 0.92, { unit: "s", ...on });
  const [full] = (await run(eventLoop, loop, used, ...machine(1.98))).problems;
  expect(full).toMatchObject({ change: "replicas: 1 -> 2 (on machines other than box)" });
  expect(full!.remedy).toContain("box has no processor to spare");
  expect((await run(eventLoop, loop, used, ...machine(1))).problems).toMatchObject([{ change: "replicas: 1 -> 2" }]);
});

test("threads all in use while tasks wait, and more requests than libuv has threads", async () => {
  const executor = (waiting: number): SeriesObject[] => [
    gauge("jobs", "executor_active_threads", 10),
    gauge("jobs", "executor_pool_max_threads", 10),
    gauge("jobs", "executor_queued_tasks", waiting),
  ];
  const uv = (n: number): SeriesObject =>
    gauge("web", "v8js.resource.active", n, { unit: "{resource}", labels: { "v8js.resource.type": "FSReqCallback" } });
  expect((await run(threadPool, uv(9))).problems).toMatchObject([{ change: "UV_THREADPOOL_SIZE: 4 -> 9" }]);
  expect((await run(threadPool, uv(3))).problems).toEqual([]);
  expect((await run(threadPool, ...executor(0))).problems).toEqual([]);
});

test("connections that end as often as calls are made, by a client's own metrics", async () => {
  const histogram = (name: string, perSecond: number): SeriesObject => ({
    ...counter("web", name, perSecond, { unit: "s" }),
    kind: "histogram",
    points: Array.from({ length: 11 }, (_, i) => ({
      at: 10 * i,
      value: 0.1 * 10 * i * perSecond,
      count: 10 * i * perSecond,
      buckets: [[Number.POSITIVE_INFINITY, 10 * i * perSecond] as const],
    })),
  });
  const calls = histogram("http.client.request.duration", 20);
  const churning = await run(keepAlive, calls, histogram("http.client.connection.duration", 19));
  expect(churning.problems).toMatchObject([{ service: "web", setting: "keepAlive" }]);
  expect(churning.problems[0]!.arithmetic).toMatch(/^web makes 20\.0 calls a second, and 19\.0 connections end/);
  expect((await run(keepAlive, calls, histogram("http.client.connection.duration", 0.1))).problems).toEqual([]);
});

test("connections that find a listen queue full", async () => {
  const host = { resource: { "service.name": "", "host.name": "web-1" } };
  expect((await run(listenQueue, counter("", "node_netstat_TcpExt_ListenOverflows", 2, host))).problems).toMatchObject([
    { service: "web-1", setting: "backlog", harm: { text: expect.stringContaining("2.00 connections a second") } },
  ]);
  expect((await run(listenQueue, counter("", "node_netstat_TcpExt_ListenOverflows", 0, host))).problems).toEqual([]);
});
