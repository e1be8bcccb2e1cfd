/** Reads recordings back. Written against the OTLP definition only; shares no code with Longpole. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';

const { root } = protobuf.parse(`syntax = "proto3";
message Request { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
message Scope { string name = 1; string version = 2; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
  uint32 dropped_attributes_count = 10; repeated Event events = 11; Status status = 15;
}
message Event { fixed64 time_unix_nano = 1; string name = 2; }
message Status { string message = 2; int32 code = 3; }
message KeyValue { string key = 1; Value value = 2; }
message Value { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5; } }
message ArrayValue { repeated Value values = 1; }
`);
const Request = root.lookupType('Request');

export interface Span {
  traceId: string; spanId: string; parentId: string; name: string; kind: string; service: string; scope: string;
  /** Milliseconds. */
  start: number; end: number;
  attributes: Record<string, unknown>; resource: Record<string, unknown>;
  status: number; events: string[];
}

const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];

function value(raw: any): unknown {
  if (!raw) return undefined;
  if (raw.arrayValue) return (raw.arrayValue.values ?? []).map(value);
  return raw.stringValue ?? raw.boolValue ?? (raw.intValue === undefined ? raw.doubleValue : Number(raw.intValue));
}

const attributes = (raw: any[] = []): Record<string, unknown> => Object.fromEntries(raw.map((a) => [a.key, value(a.value)]));
const id = (raw: any): string => (raw === undefined || raw.length === 0 ? '' : typeof raw === 'string' ? raw : Buffer.from(raw).toString('hex'));
const ms = (raw: any): number => {
  const nanos = BigInt(String(raw));
  return Number(nanos / 1000n) / 1000;
};

function* spansOf(request: any): Generator<Span> {
  for (const rs of request.resourceSpans ?? []) {
    const resource = attributes(rs.resource?.attributes);
    for (const ss of rs.scopeSpans ?? []) {
      for (const span of ss.spans ?? []) {
        yield {
          traceId: id(span.traceId), spanId: id(span.spanId), parentId: id(span.parentSpanId), name: span.name,
          kind: KINDS[span.kind ?? 0]!, service: String(resource['service.name']), scope: `${ss.scope?.name}@${ss.scope?.version}`,
          start: ms(span.startTimeUnixNano), end: ms(span.endTimeUnixNano), attributes: attributes(span.attributes), resource,
          status: span.status?.code ?? 0, events: (span.events ?? []).map((e: any) => e.name),
        };
      }
    }
  }
}

export function readSpans(file: string): Span[] {
  const data = gunzipSync(readFileSync(file));
  if (file.includes('.jsonl')) {
    return data.toString('utf8').split('\n').filter(Boolean).flatMap((line) => [...spansOf(JSON.parse(line))]);
  }
  const message = Request.toObject(Request.decode(data), { longs: String });
  return [...spansOf(message)];
}

export function percentiles(values: number[]): { count: number; meanMs: number; p50Ms: number; p95Ms: number; p99Ms: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const round = (v: number): number => Math.round(v * 100) / 100;
  const at = (q: number): number => round(sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0);
  return { count: sorted.length, meanMs: round(sorted.reduce((a, b) => a + b, 0) / sorted.length), p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
}
