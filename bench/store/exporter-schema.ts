import { AttributeType, type AttributeTable } from "../../src/model/attribute-table.ts";
import { idHex, spanIdHex, traceIdHex, type SpanTable } from "../../src/model/span-table.ts";

/**
 * The tables of the OpenTelemetry Collector's ClickHouse exporter, as its documentation has them
 * (opentelemetry-collector-contrib, exporter/clickhouseexporter): what others store the same spans in.
 */
export const EXPORTER_TABLES: readonly string[] = [
  `CREATE DATABASE otel`,
  `CREATE TABLE otel.otel_traces (
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (Timestamp DateTime64(9), Name LowCardinality(String), Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    Links Nested (TraceId String, SpanId String, TraceState String, Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
  ) ENGINE = MergeTree
  PARTITION BY toDate(Timestamp)
  ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))
  SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1`,
  `CREATE TABLE otel.otel_traces_trace_id_ts (
    TraceId String CODEC(ZSTD(1)),
    Start DateTime CODEC(Delta, ZSTD(1)),
    End DateTime CODEC(Delta, ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1
  ) ENGINE = MergeTree
  PARTITION BY toDate(Start)
  ORDER BY (TraceId, Start)`,
  `CREATE MATERIALIZED VIEW otel.otel_traces_trace_id_ts_mv TO otel.otel_traces_trace_id_ts AS
  SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End FROM otel.otel_traces WHERE TraceId != '' GROUP BY TraceId`,
  // Rows are put together here, unmeasured, and taken out as the native blocks that the exporter sends.
  `CREATE TABLE otel.staging AS otel.otel_traces ENGINE = Memory`,
];

const KINDS = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"];
const STATUS = ["Unset", "Ok", "Error"];

/** Spans as the exporter writes them: ids in hex, all values as text. */
export function exporterRows(table: SpanTable): Record<string, unknown>[] {
  const { strings, events, links } = table;
  const map = (of: AttributeTable, list: number): Record<string, string> => {
    const into: Record<string, string> = {};
    for (let row = of.listStart[list]!; row < of.listStart[list + 1]!; row++) {
      const value = of.value[row]!;
      const isText = of.type[row] === AttributeType.string || of.type[row] === AttributeType.json;
      const text = of.type[row] === AttributeType.boolean ? String(value === 1) : String(value);
      into[strings.get(of.key[row]!)] = isText ? strings.get(value) : text;
    }
    return into;
  };
  const time = (offset: number): string => {
    const ns = table.baseUnixNs + BigInt(offset);
    return `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n).padStart(9, "0")}`;
  };
  let [event, link] = [0, 0];
  return Array.from({ length: table.rowCount }, (_, row) => {
    const parent = idHex(table.parentSpanId, 2 * row, 2);
    const result: Record<string, unknown> = {
      Timestamp: time(table.startOffsetNs[row]!),
      TraceId: traceIdHex(table, row),
      SpanId: spanIdHex(table, row),
      ParentSpanId: parent === "0000000000000000" ? "" : parent,
      TraceState: strings.get(table.traceState[row]!),
      SpanName: strings.get(table.name[row]!),
      SpanKind: KINDS[table.kind[row]!],
      ServiceName: "",
      ResourceAttributes: map(table.resources, table.resource[row]!),
      ScopeName: strings.get(table.scope[row]!),
      SpanAttributes: map(table.attributes, row),
      Duration: Math.max(0, table.endOffsetNs[row]! - table.startOffsetNs[row]!),
      StatusCode: STATUS[table.status[row]!],
    };
    result["ServiceName"] = (result["ResourceAttributes"] as Record<string, string>)["service.name"] ?? "";
    const [times, names, attributes]: unknown[][] = [[], [], []];
    for (; event < events.rowCount && events.span[event] === row; event++) {
      times!.push(time(events.timeOffsetNs[event]!));
      names!.push(strings.get(events.name[event]!));
      attributes!.push(map(events.attributes, event));
    }
    Object.assign(result, { "Events.Timestamp": times, "Events.Name": names, "Events.Attributes": attributes });
    const linked: string[][] = [[], []];
    for (; link < links.rowCount && links.span[link] === row; link++) {
      linked[0]!.push(idHex(links.traceId, 4 * link, 4));
      linked[1]!.push(idHex(links.spanId, 2 * link, 2));
    }
    Object.assign(result, {
      "Links.TraceId": linked[0],
      "Links.SpanId": linked[1],
      "Links.TraceState": linked[0]!.map(() => ""),
      "Links.Attributes": linked[0]!.map(() => ({})),
    });
    return result;
  });
}
