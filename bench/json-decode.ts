/**
 * OTLP JSON into a SpanTable: our pull reader against JSON.parse and a walk of
 * its objects into the same builder, interleaved, CPU time of the process.
 *
 *     npx tsx bench/json-decode.ts [--spans 20000] [--rounds 9]
 *
 * The documents are like those of OpenTelemetry's SDKs: batches of 100 spans of a
 * resource, HTTP server, HTTP client and PostgreSQL spans with 8 to 14 attributes,
 * urls and statements partly unique. Both sides' tables are compared first.
 */
import { AttributeType } from "../src/model/attribute-table.ts";
import { Intake } from "../src/model/intake.ts";
import { SpanTableBuilder } from "../src/model/span-table-builder.ts";
import { decodeOtlpJson } from "../src/formats/otlp-json.ts";

const option = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const SPANS = option("spans", 20_000);
const ROUNDS = option("rounds", 9);
const SPANS_PER_DOCUMENT = 2_000;

type Json = { [key: string]: Json } | Json[] | string | number | boolean;

let seed = 0x2545f491;
/** xorshift32, 0 <= x < below. */
function random(below: number): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) % below;
}
const hex = (digits: number): string => Array.from({ length: digits }, () => random(16).toString(16)).join("");

function keyValue(key: string, value: string | number | boolean): Json {
  if (typeof value === "string") return { key, value: { stringValue: value } };
  if (typeof value === "boolean") return { key, value: { boolValue: value } };
  return { key, value: Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value } };
}

const ROUTES = ["/orders/:id", "/orders", "/users/:id", "/cart", "/checkout", "/search"];

function attributes(shape: number): [string, string | number | boolean][] {
  const route = ROUTES[random(ROUTES.length)]!;
  const path = route.replace(":id", String(random(100_000)));
  if (shape === 0) {
    return [
      ["http.request.method", random(4) === 0 ? "POST" : "GET"],
      ["url.scheme", "http"],
      ["url.path", path],
      ["http.route", route],
      ["server.address", "gateway.example.com"],
      ["server.port", 8080],
      ["client.address", `10.0.${random(4)}.${random(250)}`],
      ["network.protocol.version", "1.1"],
      ["user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"],
      ["http.response.status_code", random(50) === 0 ? 500 : 200],
      ["http.response.body.size", random(20_000)],
      ["thread.id", random(16)],
    ];
  }
  if (shape === 1) {
    return [
      ["http.request.method", "GET"],
      ["url.full", `http://orders:8080${path}?page=${random(50)}`],
      ["server.address", "orders"],
      ["server.port", 8080],
      ["network.peer.address", "10.0.3.17"],
      ["network.peer.port", 8080],
      ["network.protocol.version", "1.1"],
      ["http.response.status_code", 200],
    ];
  }
  return [
    ["db.system", "postgresql"],
    ["db.name", "shop"],
    ["db.user", "shop"],
    ["db.connection_string", "postgresql://postgres:5432/shop"],
    ["net.peer.name", "postgres"],
    ["net.peer.port", 5432],
    [
      "db.statement",
      random(3) === 0
        ? `SELECT * FROM orders WHERE id = ${random(1_000_000)}`
        : "SELECT o.id, o.total FROM orders o JOIN users u ON u.id = o.user_id WHERE u.id = $1",
    ],
    ["db.operation", "SELECT"],
    ["db.rows", random(100)],
    ["db.pool.wait_ms", random(1000) / 8],
    ["db.cached", random(2) === 0],
  ];
}

function document(spans: number, firstNs: bigint): Uint8Array {
  const resourceSpans: Json[] = [];
  for (let batch = 0; batch < spans / 100; batch++) {
    const service = ["gateway", "orders", "users"][random(3)]!;
    const list: Json[] = [];
    let traceId = "";
    for (let i = 0; i < 100; i++) {
      if (i % 10 === 0) traceId = hex(32);
      const shape = random(3);
      const start = firstNs + BigInt(batch * 100 + i) * 1_000_003n;
      list.push({
        traceId,
        spanId: hex(16),
        parentSpanId: hex(16),
        flags: 257,
        name: ["GET /orders/:id", "GET", "pg.query:SELECT shop"][shape]!,
        kind: shape === 0 ? 2 : 3,
        startTimeUnixNano: String(start),
        endTimeUnixNano: String(start + BigInt(random(50_000_000))),
        attributes: attributes(shape).map(([key, value]) => keyValue(key, value)),
        droppedAttributesCount: 0,
        events: [],
        droppedEventsCount: 0,
        status: { code: 0 },
        links: [],
        droppedLinksCount: 0,
      });
    }
    resourceSpans.push({
      resource: { attributes: [keyValue("service.name", service), keyValue("host.name", `${service}-1`)] },
      scopeSpans: [{ scope: { name: "@opentelemetry/instrumentation-http", version: "0.57.0" }, spans: list }],
    });
  }
  return new TextEncoder().encode(JSON.stringify({ resourceSpans }));
}

interface Attribute {
  key: string;
  value: { stringValue?: string; intValue?: string; doubleValue?: number; boolValue?: boolean };
}

/** The baseline: what one writes with JSON.parse, without waste. */
function decodeByParse(bytes: Uint8Array, into: SpanTableBuilder): void {
  const { strings } = into;
  const setTime = (words: Uint32Array, row: number, text: string): void => {
    const ns = BigInt(text);
    words[2 * row] = Number(ns >> 32n);
    words[2 * row + 1] = Number(ns & 0xffffffffn);
  };
  const setId = (words: Uint32Array, at: number, text: string): void => {
    for (let i = 0; i < text.length / 8; i++) words[at + i] = Number.parseInt(text.slice(8 * i, 8 * i + 8), 16);
  };
  const add = (list: { add: typeof into.attributes.add }, { key, value }: Attribute): void => {
    const id = strings.intern(key);
    if (value.stringValue !== undefined) list.add(id, AttributeType.string, strings.intern(value.stringValue));
    else if (value.boolValue !== undefined) list.add(id, AttributeType.boolean, value.boolValue ? 1 : 0);
    else list.add(id, AttributeType.number, Number(value.intValue ?? value.doubleValue));
  };
  const { resourceSpans } = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
  for (const { resource, scopeSpans } of resourceSpans) {
    for (const attribute of resource.attributes) add(into.resources, attribute);
    const resourceRow = into.resources.closeList();
    for (const { scope, spans } of scopeSpans) {
      const scopeId = strings.intern(scope.name);
      for (const span of spans) {
        into.begin(resourceRow, scopeId);
        const row = into.open;
        setId(into.traceId, 4 * row, span.traceId);
        setId(into.spanId, 2 * row, span.spanId);
        setId(into.parentSpanId, 2 * row, span.parentSpanId);
        into.name[row] = strings.intern(span.name);
        into.kind[row] = span.kind;
        setTime(into.startWords, row, span.startTimeUnixNano);
        setTime(into.endWords, row, span.endTimeUnixNano);
        for (const attribute of span.attributes) add(into.attributes, attribute);
        into.status[row] = span.status.code;
        into.commit();
      }
    }
  }
}

function checkEqual(documents: Uint8Array[]): void {
  const ours = new SpanTableBuilder();
  const theirs = new SpanTableBuilder();
  const intake = new Intake();
  for (const bytes of documents) {
    decodeOtlpJson(bytes, ours, intake, "bench", 0);
    decodeByParse(bytes, theirs);
  }
  const a = ours.finish().table;
  const b = theirs.finish().table;
  const values = (table: typeof a): string[] =>
    Array.from(table.attributes.value, (value, i) =>
      table.attributes.type[i] === AttributeType.string ? table.strings.get(value) : String(value),
    );
  const columns = ["startOffsetNs", "endOffsetNs", "traceId", "spanId", "parentSpanId", "kind", "status"] as const;
  const same =
    intake.accepted === b.rowCount &&
    columns.every((name) => a[name].every((value, i) => value === b[name][i])) &&
    values(a).join("\n") === values(b).join("\n");
  if (!same) throw new Error("the two decoders disagree");
}

function cpuSeconds(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1e6;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const documents = Array.from({ length: Math.ceil(SPANS / SPANS_PER_DOCUMENT) }, (_, i) =>
  document(SPANS_PER_DOCUMENT, 1_790_000_000_000_000_000n + BigInt(i) * 10_000_000_000n),
);
const megabytes = documents.reduce((sum, bytes) => sum + bytes.length, 0) / 1e6;
const spans = documents.length * SPANS_PER_DOCUMENT;
checkEqual(documents);

const ours: number[] = [];
const theirs: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const oursInto = new SpanTableBuilder();
  const intake = new Intake();
  ours.push(cpuSeconds(() => documents.forEach((bytes) => decodeOtlpJson(bytes, oursInto, intake, "bench", 0))));
  const theirsInto = new SpanTableBuilder();
  theirs.push(cpuSeconds(() => documents.forEach((bytes) => decodeByParse(bytes, theirsInto))));
}
const ratios = ours.map((own, i) => theirs[i]! / own);
const line = (name: string, seconds: number): string =>
  `${name.padEnd(22)} ${(spans / seconds / 1e6).toFixed(3)} M spans/CPU-s  ${(megabytes / seconds).toFixed(0)} MB/CPU-s`;
console.log(`${spans} spans, ${megabytes.toFixed(1)} MB, ${((megabytes * 1e6) / spans).toFixed(0)} bytes a span`);
console.log(line("pull reader", median(ours)));
console.log(line("JSON.parse and walk", median(theirs)));
console.log(
  `ratio ${median(ratios).toFixed(2)} (of ${ROUNDS} rounds: ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
);
