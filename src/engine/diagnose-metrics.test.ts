import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import type { MetricTable } from "../model/metric-table.ts";
import { MECHANISMS } from "../model/report.ts";
import { metricTableOf, type PointObject, type SeriesObject } from "../testing/metric-table.ts";
import { diagnose } from "./diagnose.ts";

const spans = new SpanTableBuilder().finish().table;
const minutes = (count: number, value: (i: number) => number): [number, number][] =>
  Array.from({ length: count }, (_, i) => [60 * i, value(i)]);

interface State {
  readonly meanMs: (i: number) => number;
  readonly cpu: (i: number) => number;
}
/** A web service that calls a cart: durations, rates, CPU against the limit, and who calls whom. */
function system(count: number, web: State, cart: State): MetricTable {
  const of = (service: string, { meanMs, cpu }: State): SeriesObject[] => {
    const resource = { "service.name": service };
    return [
      {
        name: "http.server.request.duration.mean",
        unit: "ms",
        kind: "gauge",
        resource,
        points: minutes(count, meanMs),
      },
      {
        name: "http.server.request.rate",
        unit: "{request}/s",
        kind: "gauge",
        resource,
        points: minutes(count, () => 10),
      },
      { name: "k8s.container.cpu_limit_utilization", unit: "1", kind: "gauge", resource, points: minutes(count, cpu) },
    ];
  };
  return metricTableOf(...of("web", web), ...of("cart", cart), {
    name: "traces_service_graph_request_total",
    kind: "sum",
    temporality: "delta",
    labels: { client: "web", server: "cart" },
    points: minutes(count, () => 600),
  });
}
const around = (level: number) => (i: number) => level * (1 + 0.03 * ((i * 5) % 3));
const calm = { web: { meanMs: around(80), cpu: around(0.2) }, cart: { meanMs: around(20), cpu: around(0.2) } };
const baselineMetrics = system(30, calm.web, calm.cart);

describe("metrics alone", () => {
  test("a service whose processor is used up and that slows its caller down", async () => {
    const metrics = system(5, { meanMs: around(280), cpu: around(0.2) }, { meanMs: around(220), cpu: around(0.96) });
    const { findings, healthy, throughput } = await diagnose({ spans, metrics, baselineMetrics });
    expect(findings[0]).toMatchObject({
      severity: "critical",
      mechanism: "cpu-saturated",
      subject: { service: "cart", resource: "cpu" },
      kind: "resource",
      impact: { endpoint: { service: "web" }, metric: "mean" },
    });
    expect(findings[0]!.impact.now).toBeGreaterThan(280);
    expect(findings[0]!.impact.predicted).toBeLessThan(90);
    expect(findings[0]!.evidence.length).toBeGreaterThanOrEqual(3);
    expect(findings.filter((finding) => finding.severity !== "note").length).toBe(1);
    expect(healthy).toBe(false);
    expect(throughput.status).toBe("insufficient-data");
    expect(throughput.resources![0]).toMatchObject({ service: "cart", resource: "cpu", shareAboveLine: 1 });
  });

  test("slower for no reason that metrics see: where, and that the reason is not known", async () => {
    const metrics = system(5, { meanMs: around(280), cpu: around(0.2) }, { meanMs: around(220), cpu: around(0.2) });
    const [first] = (await diagnose({ spans, metrics, baselineMetrics })).findings;
    expect(first).toMatchObject({ severity: "critical", mechanism: "unknown", subject: { service: "cart" } });
  });

  test("as before: healthy, nothing above a note", async () => {
    const report = await diagnose({ spans, metrics: system(5, calm.web, calm.cart), baselineMetrics });
    expect(report.findings.filter((finding) => finding.severity !== "note")).toEqual([]);
    expect(report.healthy).toBe(true);
    expect(report.window.startUnixNs).not.toBe("0");
    expect(report.dataQuality.metricPoints).toEqual({ received: 35, analysed: 35, notUsed: 0, rejected: [] });
  });

  test("a busier processor that no request feels is no note: it would say that nothing changes", async () => {
    const busy = { web: { ...calm.web, cpu: around(0.4) }, cart: { meanMs: () => 20, cpu: around(0.4) } };
    const metrics = system(30, busy.web, busy.cart);
    const before = system(30, calm.web, { meanMs: () => 20, cpu: around(0.2) });
    const { findings } = await diagnose({ spans, metrics, baselineMetrics: before });
    expect(findings.filter(({ impact }) => impact.now === impact.predicted)).toEqual([]);
  });

  test("one odd minute is a note, not an alarm", async () => {
    const once = (level: number) => (i: number) => (i === 2 ? 100 : 0) + around(level)(i);
    const metrics = system(6, { meanMs: once(80), cpu: around(0.2) }, { meanMs: once(20), cpu: around(0.2) });
    const { findings } = await diagnose({ spans, metrics, baselineMetrics });
    expect(findings[0]).toMatchObject({ severity: "note", subject: { service: "cart" } });
  });

  test("without a baseline: what is used up is in the table, and nothing is claimed", async () => {
    const metrics = system(5, calm.web, { meanMs: around(20), cpu: around(0.99) });
    const { findings, healthy, throughput } = await diagnose({ spans, metrics });
    expect(findings).toEqual([]);
    expect(healthy).toBe(false);
    expect(throughput.resources![0]).toMatchObject({ service: "cart", worstUtilisation: expect.closeTo(1.05, 1) });
  });

  test("a baseline of another kind of metric says nothing", async () => {
    const other = metricTableOf({ name: "temperature", unit: "Cel", kind: "gauge", points: minutes(30, () => 20) });
    const report = await diagnose({ spans, metrics: system(5, calm.web, calm.cart), baselineMetrics: other });
    expect(report.findings).toEqual([]);
  });
});

describe("a wrong answer is worse than none", () => {
  const odd: [string, MetricTable][] = [
    ["nothing", metricTableOf()],
    ["one point", system(1, calm.web, calm.cart)],
    ["NaN and infinities", system(5, { meanMs: () => Number.NaN, cpu: () => Number.POSITIVE_INFINITY }, calm.cart)],
    ["negative numbers", system(5, { meanMs: (i) => -i, cpu: () => -1 }, calm.cart)],
  ];
  test.each(odd)("%s: no alarm", async (_, metrics) => {
    for (const input of [{ metrics }, { metrics, baselineMetrics }]) {
      const { findings } = await diagnose({ spans, ...input });
      expect(findings.filter((finding) => finding.severity !== "note")).toEqual([]);
    }
  });

  test("shares in per cent are read as such, and that is said", async () => {
    const metrics = system(5, calm.web, { meanMs: around(20), cpu: (i) => 20 * around(1)(i) });
    const report = await diagnose({ spans, metrics, baselineMetrics });
    expect(report.findings.filter((finding) => finding.severity !== "note")).toEqual([]);
    expect(report.dataQuality.warnings.some((text) => text.includes("taken as per cent"))).toBe(true);
  });

  test("law: any points of any kind give a report that keeps the contract", async () => {
    const number = fc.oneof(fc.double(), fc.integer({ min: 0, max: 1000 }), fc.constant(Number.NaN));
    const point = fc.record({
      at: fc.integer({ min: -1e6, max: 1e6 }),
      start: fc.integer({ min: -1e6, max: 1e6 }),
      value: number,
      count: fc.nat(100),
      buckets: fc.constantFrom<NonNullable<PointObject["buckets"]>>(
        [],
        [[0.5, 2]],
        [
          [1, 3],
          [2, 0],
          [Number.POSITIVE_INFINITY, 1],
        ],
      ),
    });
    const series = fc.record({
      name: fc.constantFrom(
        "http.server.request.duration",
        "process.cpu.time",
        "nodejs.eventloop.utilization",
        "db.client.connection.max",
        "process.memory.usage",
        "queue.depth",
        "x",
      ),
      unit: fc.constantFrom("", "s", "1", "%", "By"),
      kind: fc.constantFrom("gauge", "sum", "histogram", "summary", "exponentialHistogram"),
      temporality: fc.constantFrom("unspecified", "delta", "cumulative"),
      monotonic: fc.boolean(),
      resource: fc.constantFrom<Record<string, string>>(
        {},
        { "service.name": "a" },
        { "service.name": "b", "host.name": "h" },
      ),
      points: fc.array(point, { maxLength: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(series, { maxLength: 8 }), fc.array(series, { maxLength: 8 }), async (now, then) => {
        const report = await diagnose({
          spans,
          metrics: metricTableOf(...now),
          baselineMetrics: metricTableOf(...then),
        });
        for (const [i, finding] of report.findings.entries()) {
          expect(finding.rank).toBe(i + 1);
          expect(MECHANISMS).toContain(finding.mechanism);
          expect(finding.confidence).toBeGreaterThanOrEqual(0);
          expect(finding.confidence).toBeLessThanOrEqual(1);
          expect([finding.impact.now, finding.impact.predicted].every(Number.isFinite)).toBe(true);
        }
        for (const row of report.throughput.resources ?? []) expect(Number.isFinite(row.utilisation)).toBe(true);
      }),
      { seed: 11, numRuns: 60 },
    );
  });
});
