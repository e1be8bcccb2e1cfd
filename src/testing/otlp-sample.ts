import protobuf from "protobufjs";

/** The part of opentelemetry-proto that traces need, for protobufjs: the reference in tests and the baseline in benchmarks. */
const PROTO = `
syntax = "proto3";
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message InstrumentationScope { string name = 1; string version = 2; repeated KeyValue attributes = 3; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; fixed32 flags = 16;
  string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9; uint32 dropped_attributes_count = 10;
  repeated Event events = 11; uint32 dropped_events_count = 12;
  repeated Link links = 13; uint32 dropped_links_count = 14; Status status = 15;
}
message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message Link { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4; uint32 dropped_attributes_count = 5; fixed32 flags = 6; }
message Status { int32 deprecated_code = 1; string message = 2; int32 code = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
  ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; } }
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
`;

/** protobufjs' type of a request; its decoder is generated from the description at first use, as in a static module. */
export const RequestType: protobuf.Type = protobuf.parse(PROTO).root.lookupType("ExportTraceServiceRequest");

/**
 * The same with texts as bytes, as protobufjs refuses a message with a text that is not UTF-8, and so with the attributes
 * of scopes and links, which the decoder does not look into.
 */
export const BytesRequestType: protobuf.Type = protobuf
  .parse(
    PROTO.replaceAll(/\bstring (?=\w+ =)/g, "bytes ").replace(
      /(message (?:InstrumentationScope|Link) \{[^}]*)repeated KeyValue attributes/g,
      "$1repeated bytes attributes",
    ),
  )
  .root.lookupType("ExportTraceServiceRequest");

export interface SampleValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: number | string;
  doubleValue?: number;
  arrayValue?: { values: SampleValue[] };
  kvlistValue?: { values: SampleKeyValue[] };
  bytesValue?: Uint8Array;
}
export interface SampleKeyValue {
  key: string;
  value?: SampleValue;
}
export interface SampleSpan {
  traceId: Uint8Array;
  spanId: Uint8Array;
  parentSpanId?: Uint8Array;
  traceState?: string;
  flags?: number;
  name: string;
  kind?: number;
  /** decimal text of 64 bits */
  startTimeUnixNano?: string;
  endTimeUnixNano?: string;
  attributes?: SampleKeyValue[];
  events?: { timeUnixNano?: string; name?: string; attributes?: SampleKeyValue[] }[];
  links?: { traceId: Uint8Array; spanId: Uint8Array; attributes?: SampleKeyValue[] }[];
  status?: { code?: number; deprecatedCode?: number; message?: string };
}
export interface SampleRequest {
  resourceSpans: {
    resource?: { attributes: SampleKeyValue[] };
    scopeSpans: { scope?: { name: string; version?: string }; spans: SampleSpan[] }[];
  }[];
}

/** Bytes of a request, by protobufjs. */
export function encodeRequest(request: SampleRequest): Uint8Array {
  return RequestType.encode(RequestType.fromObject(request)).finish();
}

/** mulberry32: numbers in [0, 1) from a seed. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const text = (key: string, stringValue: string): SampleKeyValue => ({ key, value: { stringValue } });
const int = (key: string, intValue: number): SampleKeyValue => ({ key, value: { intValue } });

/** A span's name and the attributes it is made of. */
interface Described {
  name: string;
  attributes: SampleKeyValue[];
}

/**
 * Requests of 100 spans of one resource, as the Node and Java SDKs send them: a
 * third each of HTTP server, HTTP client and PostgreSQL spans of 8 to 14
 * attributes, in three scopes. A tenth of the urls and statements is unique, 2 % of the spans fail
 * with an exception event, 1 % have a link.
 */
export function sampleRequests(count: number, seed: number): SampleRequest[] {
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const id = (size: number): Uint8Array => Uint8Array.from({ length: size }, () => 1 + Math.floor(random() * 255));
  const routes = ["/api/orders/:id", "/api/cart", "/api/products", "/api/checkout", "/api/users/:id/addresses"];
  const hosts = ["orders", "cart", "catalog", "payment"];
  const tables = ["orders", "order_items", "customers", "stock"];
  const unique = (): string => Math.floor(random() * 1e9).toString(36);

  const server = (): Described => {
    const route = pick(routes);
    const method = pick(["GET", "GET", "POST"]);
    const path = random() < 0.1 ? route.replace(":id", unique()) : route;
    const attributes = [
      text("http.request.method", method),
      text("url.scheme", "http"),
      text("url.path", path),
      text("http.route", route),
      int("http.response.status_code", pick([200, 200, 200, 404])),
      text("network.protocol.version", "1.1"),
      text("server.address", "shop.example.com"),
      int("server.port", 8080),
      text("client.address", `10.0.${Math.floor(random() * 4)}.${Math.floor(random() * 250)}`),
      text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"),
      text("thread.name", `worker-${Math.floor(random() * 16)}`),
      int("thread.id", Math.floor(random() * 64)),
    ].slice(0, 8 + Math.floor(random() * 5));
    return { name: `${method} ${route}`, attributes };
  };
  const client = (): Described => {
    const host = pick(hosts);
    const url = `http://${host}:8080${pick(routes)}${random() < 0.1 ? `?q=${unique()}` : ""}`;
    const attributes = [
      text("http.request.method", "GET"),
      text("url.full", url),
      text("server.address", host),
      int("server.port", 8080),
      int("http.response.status_code", 200),
      text("network.peer.address", "10.1.2.3"),
      int("network.peer.port", 8080),
      text("network.protocol.version", "1.1"),
      { key: "http.request.time_ms", value: { doubleValue: random() * 100 } },
    ];
    return { name: "GET", attributes };
  };
  const query = (): Described => {
    const table = pick(tables);
    const statement = `SELECT id, customer_id, created_at, total FROM ${table} WHERE customer_id = $1 AND created_at > now() - interval '1 day' ORDER BY created_at DESC LIMIT ${random() < 0.1 ? unique() : 50}`;
    const attributes = [
      text("db.system", "postgresql"),
      text("db.name", "shop"),
      text("db.user", "app"),
      text("db.statement", statement),
      text("db.operation", "SELECT"),
      text("db.sql.table", table),
      text("net.peer.name", "postgres"),
      int("net.peer.port", 5432),
      text("db.connection_string", "postgresql://postgres:5432/shop"),
      { key: "db.cached", value: { boolValue: random() < 0.5 } },
      int("db.response.returned_rows", Math.floor(random() * 500)),
      text("thread.name", `worker-${Math.floor(random() * 16)}`),
      { key: "db.rows_per_ms", value: { doubleValue: random() * 10 } },
      text("peer.service", "postgres"),
    ];
    return { name: `SELECT ${table}`, attributes };
  };
  const scopes = [
    { name: "@opentelemetry/instrumentation-http", kind: 2, describe: server },
    { name: "@opentelemetry/instrumentation-undici", kind: 3, describe: client },
    { name: "@opentelemetry/instrumentation-pg", kind: 3, describe: query },
  ];

  let now = 1_790_000_000_000_000_000n;
  const span = (scope: (typeof scopes)[number]): SampleSpan => {
    now += BigInt(Math.floor(random() * 100_000));
    const start = now;
    const end = start + BigInt(Math.floor(random() * 50_000_000));
    const failed = random() < 0.02;
    const { name, attributes } = scope.describe();
    return {
      traceId: id(16),
      spanId: id(8),
      ...(scope.kind === 2 && random() < 0.5 ? {} : { parentSpanId: id(8) }),
      ...(random() < 0.05 ? { traceState: "ot=th:8" } : {}),
      flags: 0x101,
      name,
      kind: scope.kind,
      startTimeUnixNano: String(start),
      endTimeUnixNano: String(end),
      attributes,
      ...(failed
        ? {
            events: [
              {
                timeUnixNano: String(end),
                name: "exception",
                attributes: [
                  text("exception.type", "TimeoutError"),
                  text("exception.message", `no answer in ${unique()} ms`),
                ],
              },
            ],
          }
        : {}),
      ...(random() < 0.01 ? { links: [{ traceId: id(16), spanId: id(8) }] } : {}),
      status: failed ? { code: 2, message: "timeout" } : {},
    };
  };
  return Array.from({ length: count }, () => {
    const host = Math.floor(random() * 8);
    return {
      resourceSpans: [
        {
          resource: {
            attributes: [
              text("service.name", pick(hosts)),
              text("service.version", "1.4.2"),
              text("service.instance.id", `instance-${host}`),
              text("host.name", `node-${host}.cluster.local`),
              int("process.pid", 4000 + host),
              text("telemetry.sdk.language", "nodejs"),
              text("telemetry.sdk.name", "opentelemetry"),
              text("telemetry.sdk.version", "1.30.0"),
            ],
          },
          scopeSpans: scopes.map((scope, i) => ({
            scope: { name: scope.name, version: "0.57.1" },
            spans: Array.from({ length: i === 0 ? 34 : 33 }, () => span(scope)),
          })),
        },
      ],
    };
  });
}
