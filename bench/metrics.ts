/**
 * A million points of metrics read and analysed: CPU-seconds of each step, OTLP protobuf, OTLP JSON and Prometheus text.
 *
 *   npx tsx bench/metrics.ts [--points N]
 *
 * 200 services with 25 series each, as a scrape every few seconds makes them: counters, gauges and histograms. The
 * goal is 3 seconds for reading and analysing together. protobufjs decodes the same bytes into objects, for comparison.
 */
import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { diagnose } from "../src/engine/diagnose.ts";
import { decodeMetricsObjects, encodeMetrics } from "../src/testing/otlp-metrics-sample.ts";
import { seededRandom } from "../src/testing/otlp-sample.ts";
import { readRecording } from "./read-table.ts";

const SERVICES = 200;
const SERIES = 25;
const BASE = 1_790_000_000;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { points: { type: "string", default: "1000000" } } });
  const scrapes = Math.round(Number(values.points) / SERVICES / SERIES);
  const random = seededRandom(1);
  const folder = mkdtempSync(join(tmpdir(), "longpole-bench-"));
  try {
    const requests = Array.from({ length: scrapes }, (_, i) => request(i, random));
    const bodies = requests.map((one) => Buffer.from(encodeMetrics(one)));
    const files: [string, Buffer][] = [
      ["protobuf", Buffer.concat(bodies)],
      ["protobuf, gzip", gzipSync(Buffer.concat(bodies))],
      ["JSON lines", Buffer.from(requests.map((one) => JSON.stringify(one)).join("\n"))],
      ["Prometheus text", Buffer.from(Array.from({ length: scrapes }, (_, i) => text(i, random)).join(""))],
    ];
    console.log(
      "format".padEnd(18),
      "MB".padStart(7),
      "points".padStart(9),
      "read s".padStart(8),
      "analyse s".padStart(10),
    );
    for (const [name, bytes] of files) {
      const path = join(folder, name.replaceAll(/\W+/g, "-"));
      writeFileSync(path, bytes);
      let began = process.cpuUsage();
      const { spans, metrics } = await readRecording([path]);
      const read = cpuSince(began);
      began = process.cpuUsage();
      const report = await diagnose({ spans, metrics, baselineMetrics: metrics });
      const analysed = cpuSince(began);
      console.log(
        name.padEnd(18),
        (bytes.length / 1e6).toFixed(1).padStart(7),
        String(metrics.points.rowCount).padStart(9),
        read.padStart(8),
        analysed.padStart(10),
      );
      if (report.findings.some((finding) => finding.severity !== "note")) console.log("  an alarm, against itself");
    }
    const began = process.cpuUsage();
    for (const body of bodies) decodeMetricsObjects(body);
    console.log("protobufjs, decoding alone:".padEnd(36), cpuSince(began));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function cpuSince(began: NodeJS.CpuUsage): string {
  const { user, system } = process.cpuUsage(began);
  return ((user + system) / 1e6).toFixed(2);
}

const attribute = (key: string, stringValue: string): object => ({ key, value: { stringValue } });

function request(scrape: number, random: () => number): object {
  const timeUnixNano = `${BASE + 5 * scrape}000000000`;
  const startTimeUnixNano = `${BASE - 1000}000000000`;
  const count = Math.round(50 * (scrape + 1));
  const point = (asDouble: number, ...attributes: object[]): object => ({
    timeUnixNano,
    startTimeUnixNano,
    asDouble,
    attributes,
  });
  const sum = (name: string, unit: string, ...dataPoints: object[]): object => ({
    name,
    unit,
    sum: { dataPoints, aggregationTemporality: 2, isMonotonic: true },
  });
  return {
    resourceMetrics: Array.from({ length: SERVICES }, (_, s) => ({
      resource: {
        attributes: [
          attribute("service.name", `service-${s}`),
          attribute("service.instance.id", `${s}`),
          attribute("host.name", `host-${s % 20}`),
        ],
      },
      scopeMetrics: [
        {
          scope: { name: "bench" },
          metrics: [
            sum(
              "process.cpu.time",
              "s",
              ...["user", "system"].map((state) =>
                point(scrape * 0.5 + random() * 0.1, attribute("process.cpu.state", state)),
              ),
            ),
            sum(
              "system.cpu.time",
              "s",
              ...["user", "system", "idle", "iowait"].flatMap((state) =>
                ["0", "1"].map((cpu) =>
                  point(
                    scrape * 1.2,
                    attribute("system.cpu.state", state),
                    attribute("system.cpu.logical_number", cpu),
                  ),
                ),
              ),
            ),
            { name: "process.memory.usage", unit: "By", gauge: { dataPoints: [point(1e8 + random() * 1e6)] } },
            { name: "nodejs.eventloop.utilization", unit: "1", gauge: { dataPoints: [point(0.2 + random() * 0.1)] } },
            ...["used", "idle"].map((state) => ({
              name: "db.client.connection.count",
              unit: "{connection}",
              gauge: { dataPoints: [point(Math.floor(random() * 5), attribute("db.client.connection.state", state))] },
            })),
            sum(
              "system.network.io",
              "By",
              ...["receive", "transmit"].map((direction) =>
                point(1e6 * scrape, attribute("network.io.direction", direction)),
              ),
            ),
            ...Array.from({ length: 7 }, (__, i) => ({
              name: "http.server.request.duration",
              unit: "s",
              histogram: {
                aggregationTemporality: 2,
                dataPoints: [
                  {
                    timeUnixNano,
                    startTimeUnixNano,
                    attributes: [attribute("http.route", `/route/${i}`), attribute("http.request.method", "GET")],
                    count: String(count),
                    sum: count * 0.02,
                    bucketCounts: [count / 2, count / 4, count / 4, 0].map((n, at) =>
                      String(at === 0 ? count - 2 * Math.floor(count / 4) : Math.floor(n)),
                    ),
                    explicitBounds: [0.01, 0.05, 0.25],
                  },
                ],
              },
            })),
            { name: "queue.size", unit: "{message}", gauge: { dataPoints: [point(Math.floor(random() * 9))] } },
          ],
        },
      ],
    })),
  };
}

/** A scrape of as many samples, as one exposition. */
function text(scrape: number, random: () => number): string {
  const lines = ["# TYPE process_cpu_seconds_total counter"];
  const at = (BASE + 5 * scrape) * 1000;
  const add = (name: string, labels: (service: number) => string, value: () => number): void => {
    for (let s = 0; s < SERVICES; s++)
      lines.push(`${name}{job="service-${s}",instance="10.0.0.${s}:9100"${labels(s)}} ${value()} ${at}`);
  };
  add(
    "process_cpu_seconds_total",
    () => "",
    () => scrape * 0.5 + random() * 0.1,
  );
  lines.push("# TYPE http_requests_total counter");
  for (let i = 0; i < 12; i++)
    add(
      "http_requests_total",
      () => `,code="200",handler="/route/${i}"`,
      () => scrape * 50,
    );
  lines.push("# TYPE process_resident_memory_bytes gauge");
  add(
    "process_resident_memory_bytes",
    () => "",
    () => 1e8 + Math.floor(random() * 1e6),
  );
  lines.push("# TYPE queue_size gauge");
  for (let i = 0; i < 11; i++)
    add(
      "queue_size",
      () => `,queue="q${i}"`,
      () => Math.floor(random() * 9),
    );
  return `${lines.join("\n")}\n`;
}

await main();
