import { ROOT_CONTEXT, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPMetricExporter as GrpcMetrics } from "@opentelemetry/exporter-metrics-otlp-grpc";
import { OTLPMetricExporter as JsonMetrics } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPMetricExporter as ProtobufMetrics } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter as GrpcTraces } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JsonTraces } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufTraces } from "@opentelemetry/exporter-trace-otlp-proto";
import { ZipkinExporter } from "@opentelemetry/exporter-zipkin";
import { CompressionAlgorithm } from "@opentelemetry/otlp-exporter-base";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader, type PushMetricExporter } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attributeText, findAttribute } from "../model/attribute-table.ts";
import { type SpanTable, spanIdHex } from "../model/span-table.ts";
import type { StringPool } from "../model/string-pool.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import { type Ingest, startIngest } from "./start-ingest.ts";

/* The stock exporters of the OpenTelemetry SDK for Node, as applications configure them. */

let dir: string;
let ingest: Ingest;
const sink = new RecordingSink();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "longpole-sdk-"));
  const address = { host: "127.0.0.1", port: 0 };
  const listen = { http: address, grpc: address, zipkin: address };
  ingest = await startIngest({ listen, walDir: dir, sink, limits: { minFreeBytes: 0 }, log: () => {} });
});
afterAll(async () => {
  await ingest.stop();
  rmSync(dir, { recursive: true, force: true });
});

const http = (path: string): string => `http://127.0.0.1:${ingest.ports.http}${path}`;
const grpcUrl = (): string => `http://127.0.0.1:${ingest.ports.grpc}`;
const compression = CompressionAlgorithm.GZIP;

const TRACES: [name: string, make: () => SpanExporter][] = [
  ["http/protobuf", () => new ProtobufTraces({ url: http("/v1/traces") })],
  ["http/protobuf with gzip", () => new ProtobufTraces({ url: http("/v1/traces"), compression })],
  ["http/json", () => new JsonTraces({ url: http("/v1/traces") })],
  ["http/json with gzip", () => new JsonTraces({ url: http("/v1/traces"), compression })],
  ["grpc", () => new GrpcTraces({ url: grpcUrl() })],
  ["grpc with gzip", () => new GrpcTraces({ url: grpcUrl(), compression })],
  ["zipkin", () => new ZipkinExporter({ url: `http://127.0.0.1:${ingest.ports.zipkin}/api/v2/spans` })],
];

function holderOf(id: string): { table: SpanTable; row: number } {
  for (const table of sink.spans.values()) {
    for (let row = 0; row < table.rowCount; row++) if (spanIdHex(table, row) === id) return { table, row };
  }
  throw new Error(`no span ${id}`);
}

function textOf(table: { strings: StringPool }, lists: SpanTable["attributes"], list: number, key: string): string {
  return attributeText(lists, table.strings, findAttribute(lists, list, table.strings.intern(key)));
}

describe("exporters of traces", () => {
  it.each(TRACES)("%s", async (name, make) => {
    const provider = new BasicTracerProvider({
      resource: resourceFromAttributes({ "service.name": `shop ${name}` }),
      spanProcessors: [new BatchSpanProcessor(make())],
    });
    const tracer = provider.getTracer("scope-of-test");
    const parent = tracer.startSpan("GET /orders", { kind: 1, attributes: { "http.route": "/orders" } });
    const within = trace.setSpan(ROOT_CONTEXT, parent);
    const child = tracer.startSpan("SELECT orders", { kind: 2, attributes: { rows: 17, cached: false } }, within);
    child.setStatus({ code: SpanStatusCode.ERROR, message: "timeout" });
    child.end();
    parent.end();
    await provider.shutdown();
    await ingest.flush();
    const { table, row } = holderOf(child.spanContext().spanId);
    expect({
      name: table.strings.get(table.name[row]!),
      kind: table.kind[row],
      status: table.status[row],
      service: textOf(table, table.resources, table.resource[row]!, "service.name"),
      rows: textOf(table, table.attributes, row, "rows"),
      parent: spanIdHex({ spanId: table.parentSpanId }, row),
    }).toEqual({
      // Zipkin's exporter and format write names and values as text; status goes by the tag "error".
      name: "SELECT orders",
      kind: 3,
      status: 2,
      service: `shop ${name}`,
      rows: "17",
      parent: parent.spanContext().spanId,
    });
  });
});

const METRICS: [name: string, make: () => PushMetricExporter][] = [
  ["http/protobuf", () => new ProtobufMetrics({ url: http("/v1/metrics"), compression })],
  ["http/json", () => new JsonMetrics({ url: http("/v1/metrics") })],
  ["grpc", () => new GrpcMetrics({ url: grpcUrl(), compression })],
];

describe("exporters of metrics", () => {
  it.each(METRICS)("%s", async (name, make) => {
    const exporter = make();
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({
      resource: resourceFromAttributes({ "service.name": `shop ${name}` }),
      readers: [reader],
    });
    const meter = provider.getMeter("scope-of-test");
    meter.createCounter("orders").add(3, { region: "eu" });
    meter.createHistogram("latency", { unit: "ms" }).record(12.5);
    const before = sink.pointCount();
    await provider.shutdown();
    await ingest.flush();
    expect(sink.pointCount() - before).toBe(2);
    const table = [...sink.metrics.values()].at(-1)!;
    const names = [...table.name].map((id) => table.strings.get(id));
    expect(names).toEqual(expect.arrayContaining(["orders", "latency"]));
    const orders = names.lastIndexOf("orders");
    const point = table.points.series.lastIndexOf(orders);
    expect([
      table.points.value[point],
      textOf(table, table.resources, table.resource[orders]!, "service.name"),
    ]).toEqual([3, `shop ${name}`]);
  });
});
