import { Message } from "../../formats/protobuf-writer.ts";
import type { AttributeBytes, Distribution, Metric, ResourceMetrics } from "./metric-points.ts";

/** What a resource's points are written as, and where in it their times and values stand. */
interface Layout {
  readonly scope: Uint8Array;
  readonly sinceUnixNs: bigint;
  readonly metrics: readonly Metric[];
  readonly labels: readonly AttributeBytes[];
  readonly since: readonly (bigint | undefined)[];
  /** of distributions */
  readonly bounds: readonly (readonly number[] | undefined)[];
  /** a whole ResourceMetrics field, of which the times and values are to be written over */
  readonly bytes: Uint8Array;
  /** of the time of each point, in the order in which points were added; its value stands VALUE_AFTER_TIME behind */
  readonly places: Int32Array;
}

/** Eight bytes of the time, one that begins the field of the value. */
export const VALUE_AFTER_TIME = 9;

const CUMULATIVE = 2;
/** Field numbers and wire types, as otlp-metrics-protobuf.ts has them. */
const [RESOURCE_METRICS, RESOURCE, SCOPE_METRICS, SCOPE, METRIC, POINT] = [0x0a, 0x0a, 0x12, 0x0a, 0x12, 0x0a];
const [GAUGE, SUM, HISTOGRAM, START, TIME, DOUBLE] = [0x2a, 0x3a, 0x4a, 0x11, 0x19, 0x21];
/** Fields of a HistogramDataPoint; its count has the tag of a NumberDataPoint's value. */
const [COUNT, TOTAL, COUNTS, BOUNDS] = [0x21, 0x29, 0x32, 0x3a];
/** Bytes of a point without its labels: time and value, and where it is known since when it counts. */
const [POINT_BYTES, SINCE_BYTES] = [18, 9];

const layouts = new WeakMap<AttributeBytes, Layout>();

/** That of the last time, where the resource has the same points again: the same metrics with the same labels, as objects. */
export function layoutFor(
  attributes: AttributeBytes,
  scope: Uint8Array,
  sinceUnixNs: bigint,
  into: ResourceMetrics,
): Layout {
  const held = layouts.get(attributes);
  if (held !== undefined && held.scope === scope && held.sinceUnixNs === sinceUnixNs && isOf(held, into)) return held;
  const made = layoutOf(attributes, scope, sinceUnixNs, into);
  layouts.set(attributes, made);
  return made;
}

function isOf({ metrics, labels, since, bounds }: Layout, into: ResourceMetrics): boolean {
  if (metrics.length !== into.points) return false;
  for (let row = 0; row < into.points; row++)
    if (
      metrics[row] !== into.metrics[row] ||
      labels[row] !== into.labels[row] ||
      since[row] !== into.since[row] ||
      bounds[row] !== into.distributions[row]?.bounds
    )
      return false;
  return true;
}

interface Sized {
  readonly metric: Metric;
  readonly rows: readonly number[];
  /** bytes of the metric, and of its sum or gauge */
  readonly size: number;
  readonly dataSize: number;
}

/** All sizes are known before a byte is written: a message for each point would take five times as long. */
function layoutOf(attributes: AttributeBytes, scope: Uint8Array, sinceUnixNs: bigint, into: ResourceMetrics): Layout {
  const sinceOf = (row: number): bigint => into.since[row] ?? (into.metrics[row]!.kind === "level" ? 0n : sinceUnixNs);
  const pointSize = (row: number): number =>
    into.labels[row]!.length + (sinceOf(row) > 0n ? SINCE_BYTES : 0) + valueSize(into.distributions[row]);
  const metrics = [...into.byMetric()].map(([metric, rows]): Sized => {
    const { name, data } = headOf(metric);
    const dataSize = rows.reduce((sum, row) => sum + 1 + framed(pointSize(row)), data.length);
    return { metric, rows, dataSize, size: name.length + 1 + framed(dataSize) };
  });
  const scopeSize = 1 + framed(scope.length) + metrics.reduce((sum, { size }) => sum + 1 + framed(size), 0);
  const size = 1 + framed(attributes.length) + 1 + framed(scopeSize);
  const writer = new FieldWriter(1 + framed(size));
  writer.head(RESOURCE_METRICS, size);
  writer.field(RESOURCE, attributes);
  writer.head(SCOPE_METRICS, scopeSize);
  writer.field(SCOPE, scope);
  const places = new Int32Array(into.points);
  for (const { metric, rows, size: metricSize, dataSize } of metrics) {
    const { name, data, tag } = headOf(metric);
    writer.head(METRIC, metricSize);
    writer.raw(name);
    writer.head(tag, dataSize);
    writer.raw(data);
    for (const row of rows) {
      const since = sinceOf(row);
      writer.head(POINT, pointSize(row));
      writer.raw(into.labels[row]!);
      if (since > 0n) writer.eight(START, since);
      places[row] = writer.at + 1;
      writer.eight(TIME, 0n);
      const distribution = into.distributions[row];
      if (distribution === undefined) writer.eight(DOUBLE, 0n);
      else writeEmpty(writer, distribution);
    }
  }
  const { points } = into;
  return {
    scope,
    sinceUnixNs,
    metrics: into.metrics.slice(0, points),
    labels: into.labels.slice(0, points),
    since: into.since.slice(0, points),
    bounds: into.distributions.slice(0, points).map((one) => one?.bounds),
    bytes: writer.bytes,
    places,
  };
}

/** Bytes of a point's time and value. */
function valueSize(distribution: Distribution | undefined): number {
  if (distribution === undefined) return POINT_BYTES;
  const { counts, bounds } = distribution;
  return 27 + 1 + framed(8 * counts.length) + 1 + framed(8 * bounds.length);
}

/** All of a distribution but its numbers, which `overwriteDistribution` fills in. */
function writeEmpty(writer: FieldWriter, { counts, bounds }: Distribution): void {
  writer.eight(COUNT, 0n);
  writer.eight(TOTAL, 0n);
  writer.field(COUNTS, new Uint8Array(8 * counts.length));
  writer.field(BOUNDS, new Uint8Array(Float64Array.from(bounds).buffer));
}

/** at: of the time of its point. */
export function overwriteDistribution(view: DataView, at: number, { count, sum, counts }: Distribution): void {
  whole(view, at + VALUE_AFTER_TIME, count);
  view.setFloat64(at + VALUE_AFTER_TIME + 9, sum, true);
  const first = at + VALUE_AFTER_TIME + 18 + framed(8 * counts.length) - 8 * counts.length;
  for (let i = 0; i < counts.length; i++) whole(view, first + 8 * i, counts[i]!);
}

/** Below 2^53, as two halves. */
function whole(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** Name and unit of a metric as fields, and what a sum says of itself; made once for each. */
interface MetricHead {
  readonly name: Uint8Array;
  readonly data: Uint8Array;
  readonly tag: number;
}

const TAGS: Readonly<Record<Metric["kind"], number>> = {
  level: GAUGE,
  counter: SUM,
  amount: SUM,
  distribution: HISTOGRAM,
};
const heads = new Map<Metric, MetricHead>();
const utf8 = new TextEncoder();

function headOf(metric: Metric): MetricHead {
  let head = heads.get(metric);
  if (head === undefined) {
    const { name, unit, kind } = metric;
    const data = new Message();
    if (kind !== "level") data.number(2, CUMULATIVE);
    if (kind === "counter") data.number(3, 1);
    head = {
      name: new Message().bytes(1, utf8.encode(name)).bytes(3, utf8.encode(unit)).finish().slice(),
      data: data.finish().slice(),
      tag: TAGS[kind],
    };
    heads.set(metric, head);
  }
  return head;
}

/** Bytes of a length and of what it counts. */
const framed = (size: number): number => (size < 0x80 ? 1 : size < 0x4000 ? 2 : size < 0x20_0000 ? 3 : 4) + size;

/** Fields of protobuf into a room of the right size. */
class FieldWriter {
  readonly bytes: Buffer;
  at = 0;

  constructor(size: number) {
    this.bytes = Buffer.alloc(size);
  }

  head(tag: number, size: number): void {
    this.bytes[this.at++] = tag;
    for (let rest = size; ; rest >>>= 7) {
      this.bytes[this.at++] = rest < 0x80 ? rest : (rest & 0x7f) | 0x80;
      if (rest < 0x80) return;
    }
  }

  field(tag: number, bytes: Uint8Array): void {
    this.head(tag, bytes.length);
    this.raw(bytes);
  }

  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  eight(tag: number, value: bigint): void {
    this.bytes[this.at++] = tag;
    this.at = this.bytes.writeBigUInt64LE(value, this.at);
  }
}
