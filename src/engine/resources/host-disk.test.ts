import { describe, expect, test } from "vitest";
import { SpanTableBuilder } from "../../model/span-table-builder.ts";
import type { MetricTable } from "../../model/metric-table.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { diagnose } from "../diagnose.ts";
import { deviations } from "./deviations.ts";
import { newlyBusyDisks } from "./host-disk.ts";
import { readMeasures } from "./read-measures.ts";
import { byService } from "./service-measures.ts";

/** A service and the disk of its machine: busy for this share of the time, requests of this duration, a point a minute. */
function machine(busy: number, durationMs: number, ...more: readonly SeriesObject[]): MetricTable {
  const points = (level: number): [number, number][] =>
    Array.from({ length: 12 }, (_, i) => [60 * i, level * (1 + 0.02 * (i % 3))]);
  const service = { "service.name": "orders", "host.name": "node-1" };
  const series: SeriesObject[] = [
    {
      name: "system.disk.utilization",
      unit: "1",
      kind: "gauge",
      resource: { "host.name": "node-1" },
      labels: { "system.device": "sda" },
      points: points(busy),
    },
    {
      name: "http.server.request.duration.mean",
      unit: "ms",
      kind: "gauge",
      resource: service,
      points: points(durationMs),
    },
    { name: "http.server.request.rate", unit: "{request}/s", kind: "gauge", resource: service, points: points(10) },
  ];
  return metricTableOf(...series, ...more);
}

/** What an agent counts of the disk in eleven minutes, beyond what it had counted before. */
const counted = (of: "host" | "process", requests: number, seconds: number, bytes: number): SeriesObject[] => {
  const common = {
    resource: { "host.name": "node-1", "service.name": of === "host" ? "longpole-agent" : "orders" },
    labels: { "system.device": "sda", "disk.io.direction": "write" },
    temporality: "cumulative" as const,
  };
  const name = `longpole.${of}.block_io`;
  const points = [0, 1].map((i) => ({ at: 660 * i, value: 5 + i * seconds, count: 9 + i * requests, buckets: [] }));
  const sizes = [
    [0, 100],
    [660, 100 + bytes],
  ] as const;
  return [
    { ...common, name: `${name}.duration`, unit: "s", kind: "histogram", points },
    { ...common, name: `${name}.io`, unit: "By", kind: "sum", monotonic: true, points: sizes },
  ];
};

function busyDisks(now: MetricTable, before: MetricTable): ReturnType<typeof newlyBusyDisks> {
  const [a, b] = [byService(readMeasures(now)), byService(readMeasures(before))];
  return newlyBusyDisks(a, b, deviations(a, b));
}

describe("a disk of a machine", () => {
  test("that became busy while requests became slower", () => {
    const [disk] = busyDisks(machine(0.7, 80), machine(0.05, 20));
    expect(disk).toMatchObject({ host: "node-1", device: "sda" });
    // The worse half of 0.7 x (1, 1.02, 1.04): four of 0.728 and two of 0.714.
    expect(disk!.deviation.now).toBeCloseTo((4 * 0.728 + 2 * 0.714) / 6, 6);
  });

  test.each([
    ["nobody feels it", machine(0.7, 20), machine(0.05, 20)],
    ["it was so before", machine(0.7, 80), machine(0.65, 20)],
    ["it is idle for most of the time", machine(0.4, 80), machine(0.02, 20)],
  ])("is no cause where %s", (_, now, before) => {
    expect(busyDisks(now, before)).toEqual([]);
  });

  test("is told with what users feel", async () => {
    const spans = new SpanTableBuilder().finish().table;
    const { findings } = await diagnose({ spans, metrics: machine(0.7, 80), baselineMetrics: machine(0.05, 20) });
    const disk = findings.find(({ mechanism }) => mechanism === "disk-saturated");
    expect(disk).toMatchObject({ severity: "warning", subject: { service: "node-1", resource: "disk:sda" } });
    expect(disk!.impact).toMatchObject({ metric: "mean", endpoint: { service: "orders" } });
    expect(disk!.impact.now).toBeGreaterThan(79);
    expect(disk!.impact.predicted).toBeLessThan(21);
  });

  test("is told with who asks it, where an agent counts that: what is of no service is the kernel's", async () => {
    const spans = new SpanTableBuilder().finish().table;
    const metrics = machine(0.7, 80, ...counted("host", 2000, 40, 30e6), ...counted("process", 500, 30, 12e6));
    const { findings } = await diagnose({ spans, metrics, baselineMetrics: machine(0.05, 20) });
    const disk = findings.find(({ mechanism }) => mechanism === "disk-saturated")!;
    // 30 of 40 s, 500 of 2,000 requests and 12 of 30 MB are those of the service.
    expect(disk.chain[1]!.claim).toBe(
      "of 2,000 requests for sda: orders 75 % of their time (500, 12 MB); the kernel itself (write-back, journal) and others 25 % of their time (1,500, 18 MB)",
    );
    expect(disk.evidence[disk.chain[1]!.evidence[0]!]!.query).toContain("longpole.process.block_io");
    expect(disk.counter).toEqual([]);
  });
});
