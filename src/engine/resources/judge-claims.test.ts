import { describe, expect, test } from "vitest";
import type { Mechanism } from "../../model/report.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import type { Claim } from "../findings.ts";
import type { EndpointView } from "../endpoint-view.ts";
import type { Explanation } from "../hot-spot.ts";
import { deviations } from "./deviations.ts";
import { judgeClaims } from "./judge-claims.ts";
import { readMeasures } from "./read-measures.ts";
import { resourceReadings } from "./readings.ts";
import type { ResourceContext } from "./resource-context.ts";
import { byService } from "./service-measures.ts";

const resource = { "service.name": "orders", "host.name": "vm" };
const series = (name: string, unit: string, value: number, labels: Record<string, string> = {}): SeriesObject => ({
  name,
  unit,
  kind: "gauge",
  resource,
  labels,
  points: Array.from({ length: 8 }, (_, i) => [10 * i, value * (1 + 0.01 * (i % 3))]),
});

function context(now: readonly SeriesObject[], then?: readonly SeriesObject[]): ResourceContext {
  const measures = readMeasures(metricTableOf(...now));
  const services = byService(measures);
  const before = then === undefined ? undefined : byService(readMeasures(metricTableOf(...then)));
  return {
    measures,
    now: services,
    before,
    readings: resourceReadings(services),
    readingsBefore: before === undefined ? [] : resourceReadings(before),
    deviations: before === undefined ? [] : deviations(services, before),
    localisations: [],
    busyDisks: [],
    diskUses: [],
    traced: new Set(),
    points: 0,
    pointsUnused: 0,
    warnings: [],
  };
}

function claim(mechanism: Mechanism, more: Partial<Explanation> = {}): Claim {
  const explanation: Explanation = {
    mechanism,
    kind: "latency",
    subject: { service: "orders", operation: "GET /orders" },
    title: "what the spans say",
    why: "",
    confidence: 0.6,
    harmful: true,
    nodes: [],
    undo: [],
    chain: [],
    evidence: [],
    counter: ["estimated from spans alone: utilisation was not measured"],
    refutedBy: "",
    remedy: { text: "" },
    ...more,
  };
  return { view: {} as EndpointView, explanation };
}
const judged = (mechanism: Mechanism, where: ResourceContext, more?: Partial<Explanation>): Explanation =>
  judgeClaims([claim(mechanism, more)], where)[0]!.explanation;

const cpu = (share: number): SeriesObject => series("k8s.container.cpu_limit_utilization", "1", share);
const throttled = (share: number): SeriesObject => series("container.cpu.throttled_share", "1", share);
const gc = (share: number): SeriesObject[] => [series("jvm.gc.time_per_second", "s", share)];
const duration = (ms: number): SeriesObject => series("http.server.request.duration.mean", "ms", ms);

describe("a used-up resource names the mechanism behind what spans show", () => {
  test.each<[Mechanism, SeriesObject[], Mechanism, string | undefined]>([
    ["lock-contention", [cpu(0.97)], "cpu-saturated", "cpu"],
    ["network-latency", [cpu(0.97)], "cpu-saturated", "cpu"],
    ["cpu-saturated", [cpu(0.97), throttled(0.4)], "cpu-throttled", "quota"],
    ["thread-starvation", gc(0.3), "garbage-collection", "gc"],
    ["slow-code", [cpu(0.97)], "slow-code", undefined],
    ["missing-index", [cpu(0.97)], "missing-index", undefined],
    ["lock-contention", [cpu(0.3)], "lock-contention", undefined],
  ])("%s with %#: %s", (mechanism, metrics, want, of) => {
    const found = judged(mechanism, context(metrics));
    expect([found.mechanism, found.subject.resource]).toEqual([want, of]);
    if (of === undefined) return;
    expect(found.confidence).toBeGreaterThan(0.8);
    expect(found.evidence.length).toBe(1);
    expect(found.counter).toEqual([]);
  });

  test("not one that was as used up in the baseline", () => {
    expect(judged("lock-contention", context([cpu(0.97)], [cpu(0.95)])).mechanism).toBe("lock-contention");
    expect(judged("lock-contention", context([cpu(0.97)], [cpu(0.4)])).mechanism).toBe("cpu-saturated");
  });
});

test("an idle processor speaks against a busy one", () => {
  const found = judged("cpu-saturated", context([cpu(0.2)]));
  expect(found.confidence).toBeLessThan(0.5);
  expect(found.counter.at(-1)).toContain("that is not busy");
});

describe("a slowdown against a baseline of another day", () => {
  const slower = { kind: "regression" as const };
  test("is taken back where the metrics of the same hour show none", () => {
    const found = judged("slow-code", context([duration(20), cpu(0.3)], [duration(20), cpu(0.3)]), slower);
    expect([found.harmful, found.confidence]).toEqual([false, expect.closeTo(0.12)]);
    expect(found.counter.at(-1)).toContain("answers as fast as in the baseline");
  });
  test("is surer where they show it", () => {
    const found = judged("slow-code", context([duration(80)], [duration(20)]), slower);
    expect([found.harmful, found.confidence]).toEqual([true, 0.8]);
  });
  test("stays as it is where the metrics don't know the service, or the claim is not about its own work", () => {
    const elsewhere = { ...slower, subject: { service: "cart" } };
    expect(judged("slow-code", context([duration(20)], [duration(20)]), elsewhere).harmful).toBe(true);
    expect(judged("network-latency", context([duration(20)], [duration(20)]), slower).harmful).toBe(true);
  });
});

test("a pool that is full because a statement takes longer is no surer for being measured", () => {
  const pool = [
    series("db.client.connection.count", "{connection}", 2, { "db.client.connection.state": "used" }),
    series("db.client.connection.max", "{connection}", 2),
    series("db.client.connection.pending_requests", "{request}", 3),
  ];
  const alone = judgeClaims([claim("pool-exhausted")], context(pool))[0]!.explanation;
  const effect = judgeClaims([claim("pool-exhausted"), claim("missing-index")], context(pool))[0]!.explanation;
  expect([alone.confidence > 0.8, effect.confidence, effect.evidence.length]).toEqual([true, 0.6, 1]);
});

describe("a disk that became busy", () => {
  const idle = [series("process.cpu.time_per_second", "s", 0.1)];
  const text = "disk vda of vm: at work 70 % of the time";
  const usual = { median: 0.01, above: 0.1, below: 0.1, count: 8 };
  const deviation = {
    service: "vm",
    quantity: "disk-busy",
    resource: "vda",
    usual,
    now: 0.7,
    strength: 7,
    qValue: 0,
  } as const;
  const withDisk = (host: string, load: readonly SeriesObject[]): ResourceContext => ({
    ...context(load),
    busyDisks: [{ host, device: "vda", text, deviation: { ...deviation, service: host } }],
  });

  test("makes what became slower as a whole its consequence", () => {
    const told = judged("cpu-saturated", withDisk("vm", idle), { kind: "regression" });
    expect(told.harmful).toBe(false);
    expect(told.counter.at(-1)).toContain(text);
  });

  test.each<[string, Mechanism, ResourceContext, Partial<Explanation>]>([
    [
      "one statement stands out",
      "slow-query",
      withDisk("vm", idle),
      { subject: { service: "orders", statement: "SELECT 1" } },
    ],
    ["calls were added", "n-plus-one", withDisk("vm", idle), {}],
    ["it is the disk of another machine", "cpu-saturated", withDisk("other", [cpu(0.1)]), {}],
    ["the processor is busy", "cpu-saturated", withDisk("vm", [cpu(0.97)]), {}],
  ])("is not the reason where %s", (_, mechanism, where, more) => {
    const told = judged(mechanism, where, { kind: "regression", ...more });
    expect(told.harmful).toBe(true);
    expect(told.counter.join()).not.toContain("a consequence");
  });
});

test("memory that grows without end is why all of a service becomes slower, with a processor that is idle", () => {
  const heap: SeriesObject = {
    name: "process.memory.usage",
    unit: "By",
    kind: "gauge",
    resource,
    points: Array.from({ length: 12 }, (_, i) => [10 * i, 80e6 + 10e6 * i]),
  };
  const where = context([heap, cpu(0.1)]);
  expect(judged("cpu-saturated", where, { kind: "regression" })).toMatchObject({
    mechanism: "memory-leak",
    subject: { service: "orders", resource: "memory" },
  });
  expect(judged("slow-code", where, { kind: "regression" }).mechanism).toBe("slow-code");
});

describe("pauses of a process whose runtime was watched", () => {
  const runtime = (delayS: number, collecting: number): SeriesObject[] => [
    series("nodejs.eventloop.delay.max", "s", delayS),
    ...gc(collecting),
  ];
  test("are none of the runtime where it neither collected nor stood still", () => {
    const told = judged("garbage-collection", context(runtime(0.02, 0.01)));
    expect(told.harmful).toBe(false);
    expect(told.counter.at(-1)).toContain("no pauses of its runtime");
  });
  test.each([
    ["it collects for 7 % of the time", runtime(0.02, 0.07)],
    ["its loop was 80 ms late", runtime(0.08, 0.01)],
    ["the loop was not watched", gc(0.01)],
  ])("stay where %s", (_, metrics) => {
    expect(judged("garbage-collection", context(metrics)).harmful).toBe(true);
  });
});

test("collecting far more garbage than in the baseline is why a service became slower, below a tenth of the time as well", () => {
  const more = context(gc(0.07), gc(0.004));
  expect(judged("cpu-saturated", more, { kind: "regression" }).mechanism).toBe("garbage-collection");
  expect(judged("cpu-saturated", context(gc(0.07), gc(0.065)), { kind: "regression" }).mechanism).toBe("cpu-saturated");
  expect(judged("cpu-saturated", more).mechanism).toBe("cpu-saturated");
});

describe("work that waits for its own kind", () => {
  const loop = (cores: number, active: number): ResourceContext => {
    const state = (name: string, value: number): SeriesObject => ({
      name: "nodejs.eventloop.time",
      unit: "s",
      kind: "sum",
      temporality: "cumulative",
      monotonic: true,
      resource,
      labels: { "nodejs.eventloop.state": name },
      points: Array.from({ length: 8 }, (_, i) => [10 * i, 10 * i * value]),
    });
    return context([
      series("process.cpu.time_per_second", "s", cores),
      state("active", active),
      state("idle", 1 - active),
    ]);
  };
  test("and computes outside the event loop has too few threads", () => {
    expect(judged("lock-contention", loop(0.9, 0.2))).toMatchObject({
      mechanism: "thread-starvation",
      subject: { service: "orders", resource: "threads" },
    });
  });
  const replica = (instance: string, cores: number, share: number, prefix = "nodejs."): SeriesObject[] =>
    [series("process.cpu.time_per_second", "s", cores), series(`${prefix}eventloop.utilization`, "1", share)].map(
      (one) => ({ ...one, resource: { ...resource, "service.instance.id": instance } }),
    );
  const threads = (...replicas: SeriesObject[][]): Explanation => judged("lock-contention", context(replicas.flat()));
  test("of several processes, is judged by each one's own loop", () => {
    // Two at 0.8 of their loops use 1.6 cores together, and none of them is beside a loop.
    expect(threads(replica("a", 0.8, 0.8), replica("b", 0.8, 0.8)).mechanism).toBe("lock-contention");
    const one = threads(replica("a", 0.8, 0.8), replica("b", 1.3, 0.5));
    expect(one).toMatchObject({ mechanism: "thread-starvation", subject: { setting: "UV_THREADPOOL_SIZE" } });
    expect(one.evidence[0]!.text).toMatch(/^a process of orders \(of 2\) uses 1\.3\d cores/);
  });
  test("of several that an agent names differently, by what one of them does on average", () => {
    const cores = (...each: number[]): SeriesObject[][] =>
      each.map((value, i) => [replica(`agent-${i}`, value, 0)[0]!, replica(`own-${i}`, 0, 0.8)[1]!]);
    expect(threads(...cores(0.8, 0.8)).mechanism).toBe("lock-contention");
    expect(threads(...cores(1.2, 1.2)).mechanism).toBe("thread-starvation");
  });
  test("names libuv's setting only where the metrics are Node's", () => {
    const other = threads(replica("a", 1.3, 0.5, "asyncio."));
    expect(other.mechanism).toBe("thread-starvation");
    expect(other.subject).not.toHaveProperty("setting");
    expect(other.remedy.text).not.toContain("UV_");
  });
  test("and computes on the loop, or hardly, waits for a lock", () => {
    expect(judged("lock-contention", loop(0.4, 0.38)).mechanism).toBe("lock-contention");
    expect(judged("lock-contention", context([])).mechanism).toBe("lock-contention");
  });
});
