import { ProtobufReader, Wire } from "./protobuf-reader.ts";

/*
 * The way to what has a time, by field numbers, from opentelemetry-proto 1.x:
 *   TracesData.resource_spans = 1, ResourceSpans.scope_spans = 2 (1000 before 2022), ScopeSpans.spans = 2;
 *   Span.trace_id = 1, Span.start_time_unix_nano = 7
 *   MetricsData.resource_metrics = 1, ResourceMetrics.scope_metrics = 2, ScopeMetrics.metrics = 2,
 *   Metric.gauge = 5, sum = 7, histogram = 9, exponential_histogram = 10, summary = 11, each with data_points = 1;
 *   time_unix_nano = 3 in every kind of point
 */
const TO_SPANS: readonly (readonly number[])[] = [[1], [2, 1000], [2]];
const TO_POINTS: readonly (readonly number[])[] = [[1], [2], [2], [5, 7, 9, 10, 11], [1]];
const TRACE_ID = 1;
const SPAN_START = 7;
const POINT_TIME = 3;

/** Moments at which traces begin, by the lower-case hex of their ids. */
export type TraceBegins = Map<string, bigint>;

/** Adds the traces of an ExportTraceServiceRequest to `begins`. Throws InputError where the bytes are no protobuf. */
export function addTraceBegins(begins: TraceBegins, bytes: Uint8Array): void {
  prune(bytes, TO_SPANS, (reader, at, end) => {
    const { id, time } = spanOf(reader, at, end);
    const before = begins.get(id);
    if (before === undefined || time < before) begins.set(id, time);
    return false;
  });
}

/** The request with the spans of those traces only; a resource or scope that has none left goes, too. */
export function cutTraces(bytes: Uint8Array, keep: (traceId: string) => boolean): Uint8Array {
  return prune(bytes, TO_SPANS, (reader, at, end) => keep(spanOf(reader, at, end).id));
}

/** The request with the points of metrics from `fromUnixNs` on and before `toUnixNs`; a metric that has none left goes, too. */
export function cutMetrics(bytes: Uint8Array, fromUnixNs: bigint, toUnixNs: bigint): Uint8Array {
  return prune(bytes, TO_POINTS, (reader, at, end) => {
    const time = fixed64(reader, at, end, POINT_TIME);
    return time >= fromUnixNs && time < toUnixNs;
  });
}

/** As `addTraceBegins`, of a request in JSON. */
export function addTraceBeginsJson(begins: TraceBegins, request: unknown): void {
  pruneJson(request, SPANS_JSON, (span) => {
    const [id, time] = [textOf(span["traceId"]).toLowerCase(), nanoseconds(span["startTimeUnixNano"])];
    const before = begins.get(id);
    if (before === undefined || time < before) begins.set(id, time);
    return false;
  });
}

/** As `cutTraces`, of a request in JSON; undefined where nothing is left. */
export function cutTracesJson(request: unknown, keep: (traceId: string) => boolean): unknown {
  return pruneJson(request, SPANS_JSON, (span) => keep(textOf(span["traceId"]).toLowerCase()));
}

/** As `cutMetrics`, of a request in JSON; undefined where nothing is left. */
export function cutMetricsJson(request: unknown, fromUnixNs: bigint, toUnixNs: bigint): unknown {
  return pruneJson(request, POINTS_JSON, (point) => {
    const time = nanoseconds(point["timeUnixNano"]);
    return time >= fromUnixNs && time < toUnixNs;
  });
}

type Leaf = (reader: ProtobufReader, at: number, end: number) => boolean;

function prune(bytes: Uint8Array, levels: readonly (readonly number[])[], keep: Leaf): Uint8Array {
  const reader = new ProtobufReader("telemetry");
  reader.over(bytes, 0);
  return Buffer.concat(pruneMessage(reader, 0, bytes.length, levels, keep).pieces);
}

/** The message from `at` to `end` as pieces of its bytes; `isKept`: whether any leaf within it is. */
function pruneMessage(
  reader: ProtobufReader,
  at: number,
  end: number,
  [level, ...deeper]: readonly (readonly number[])[],
  keep: Leaf,
): { pieces: Uint8Array[]; isKept: boolean } {
  const pieces: Uint8Array[] = [];
  let isKept = false;
  while (at < end) {
    const start = at;
    const tag = reader.tag(at, end);
    const behindTag = reader.at;
    const isWay = (tag & 7) === Wire.bytes && level!.includes(tag >>> 3);
    if (!isWay) {
      at = reader.skip(tag, behindTag, end);
      pieces.push(reader.bytes.subarray(start, at));
      continue;
    }
    at = reader.valueEnd(behindTag, end);
    const valueStart = reader.at;
    if (deeper.length === 0) {
      if (!keep(reader, valueStart, at)) continue;
      pieces.push(reader.bytes.subarray(start, at));
    } else {
      const inner = pruneMessage(reader, valueStart, at, deeper, keep);
      if (!inner.isKept) continue;
      const length = inner.pieces.reduce((sum, piece) => sum + piece.length, 0);
      pieces.push(reader.bytes.subarray(start, behindTag), varint(length), ...inner.pieces);
    }
    isKept = true;
  }
  return { pieces, isKept };
}

function spanOf(reader: ProtobufReader, at: number, end: number): { id: string; time: bigint } {
  let id = "";
  forFields(reader, at, end, (tag, from, to) => {
    if (tag === TRACE_ID * 8 + Wire.bytes) id = Buffer.from(reader.bytes.subarray(from, to)).toString("hex");
  });
  return { id, time: fixed64(reader, at, end, SPAN_START) };
}

/** 0 where the field is absent, protobuf's default. */
function fixed64(reader: ProtobufReader, at: number, end: number, field: number): bigint {
  let value = 0n;
  forFields(reader, at, end, (tag, from) => {
    if (tag === field * 8 + Wire.fixed64) value = reader.words.getBigUint64(from, true);
  });
  return value;
}

function forFields(
  reader: ProtobufReader,
  at: number,
  end: number,
  each: (tag: number, valueFrom: number, valueTo: number) => void,
): void {
  while (at < end) {
    const tag = reader.tag(at, end);
    const behindTag = reader.at;
    at = reader.skip(tag, behindTag, end);
    each(tag, (tag & 7) === Wire.bytes ? reader.at : behindTag, at);
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return Uint8Array.from([...bytes, value]);
}

type JsonObject = Readonly<Record<string, unknown>>;

const SPANS_JSON: readonly (readonly string[])[] = [["resourceSpans"], ["scopeSpans"], ["spans"]];
const POINTS_JSON: readonly (readonly string[])[] = [
  ["resourceMetrics"],
  ["scopeMetrics"],
  ["metrics"],
  ["gauge", "sum", "histogram", "exponentialHistogram", "summary"],
  ["dataPoints"],
];

/** The value without the leaves that are not kept, nor what is empty without them; undefined where nothing is left. */
function pruneJson(
  value: unknown,
  [level, ...deeper]: readonly (readonly string[])[],
  keep: (leaf: JsonObject) => boolean,
): unknown {
  if (!isObject(value)) return undefined;
  if (level === undefined) return keep(value) ? value : undefined;
  const pruned: Record<string, unknown> = { ...value };
  let isKept = false;
  for (const name of level) {
    const inner = value[name];
    if (inner === undefined) continue;
    const kept = Array.isArray(inner)
      ? inner.map((item: unknown) => pruneJson(item, deeper, keep)).filter((item) => item !== undefined)
      : pruneJson(inner, deeper, keep);
    const isEmpty = kept === undefined || (Array.isArray(kept) && kept.length === 0);
    pruned[name] = isEmpty ? undefined : kept;
    isKept ||= !isEmpty;
  }
  return isKept ? pruned : undefined;
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** Decimal text of 64 bits, or a number; 0 where it is neither. */
function nanoseconds(value: unknown): bigint {
  if (typeof value === "number" && Number.isFinite(value)) return BigInt(Math.round(value));
  return typeof value === "string" && /^\d{1,20}$/.test(value) ? BigInt(value) : 0n;
}
