import { Message } from "../../formats/protobuf-writer.ts";

/** A metric as OTLP has it: a counter only grows, an amount is a sum that also falls, a level is no sum. */
export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly kind: "counter" | "amount" | "level";
}

export type AttributeValue = string | number | boolean;

/** Attributes as OTLP's KeyValue fields, made once and written often. */
export type AttributeBytes = Uint8Array;

export const NO_ATTRIBUTES: AttributeBytes = new Uint8Array();

const utf8 = new TextEncoder();
/** Field of KeyValue lists in Resource, and in NumberDataPoint. */
const RESOURCE_FIELD = 1;
const POINT_FIELD = 7;

const keyValues = (field: number, attributes: Readonly<Record<string, AttributeValue | undefined>>): AttributeBytes => {
  const into = new Message();
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === "") continue;
    const any = new Message();
    if (typeof value === "string") any.bytes(1, utf8.encode(value));
    else if (typeof value === "boolean") any.chosenNumber(2, value ? 1 : 0);
    else if (Number.isSafeInteger(value)) any.chosenNumber(3, value);
    else any.double(4, value);
    into.message(field, new Message().bytes(1, utf8.encode(key)).message(2, any));
  }
  return into.finish().slice();
};

/** Of a resource; absent and empty ones are left out. */
export const resourceBytes = (attributes: Readonly<Record<string, AttributeValue | undefined>>): AttributeBytes =>
  keyValues(RESOURCE_FIELD, attributes);

/** Of a point. */
export const labelBytes = (attributes: Readonly<Record<string, AttributeValue | undefined>>): AttributeBytes =>
  keyValues(POINT_FIELD, attributes);

const CUMULATIVE = 2;
/** Field numbers and wire types, as otlp-metrics-protobuf.ts has them. */
const [RESOURCE_METRICS, RESOURCE, SCOPE_METRICS, SCOPE, METRIC, POINT] = [0x0a, 0x0a, 0x12, 0x0a, 0x12, 0x0a];
const [GAUGE, SUM, START, TIME, DOUBLE] = [0x2a, 0x3a, 0x11, 0x19, 0x21];

/** Name and unit of a metric as fields, and what a sum says of itself; made once for each. */
interface MetricHead {
  readonly name: Uint8Array;
  readonly data: Uint8Array;
  readonly tag: number;
}

const heads = new Map<Metric, MetricHead>();

function headOf(metric: Metric): MetricHead {
  let head = heads.get(metric);
  if (head === undefined) {
    const { name, unit, kind } = metric;
    const data = new Message();
    if (kind !== "level") data.number(2, CUMULATIVE).number(3, kind === "counter" ? 1 : 0);
    head = {
      name: new Message().bytes(1, utf8.encode(name)).bytes(3, utf8.encode(unit)).finish().slice(),
      data: data.finish().slice(),
      tag: kind === "level" ? GAUGE : SUM,
    };
    heads.set(metric, head);
  }
  return head;
}

/** Bytes of a length and of what it counts. */
const framed = (size: number): number => (size < 0x80 ? 1 : size < 0x4000 ? 2 : size < 0x20_0000 ? 3 : 4) + size;

/**
 * Points of one moment as one ExportMetricsServiceRequest, grouped by resource and metric, so that what repeats is
 * written once. All sizes are known before a byte is written: a message for each point would take five times as long.
 */
export class MetricBatch {
  points = 0;
  private buffer = Buffer.allocUnsafe(1 << 16);
  private size = 0;
  private readonly scope: Uint8Array;
  private readonly timeUnixNs: bigint;

  constructor(timeUnixNs: bigint, scope: { readonly name: string; readonly version: string }) {
    this.timeUnixNs = timeUnixNs;
    this.scope = new Message().bytes(1, utf8.encode(scope.name)).bytes(2, utf8.encode(scope.version)).finish();
  }

  /** Adds all points of a resource. since: when its counters began, 0 where that is not known. */
  resource(attributes: AttributeBytes, sinceUnixNs: bigint, fill: (into: ResourceMetrics) => void): void {
    const into = new ResourceMetrics(sinceUnixNs > 0n);
    fill(into);
    if (into.points === 0) return;
    this.points += into.points;
    const metrics = into.all();
    const scopeSize = 1 + framed(this.scope.length) + metrics.reduce((sum, { size }) => sum + 1 + framed(size), 0);
    const size = 1 + framed(attributes.length) + 1 + framed(scopeSize);
    this.reserve(8 + size);
    this.head(RESOURCE_METRICS, size);
    this.head(RESOURCE, attributes.length);
    this.raw(attributes);
    this.head(SCOPE_METRICS, scopeSize);
    this.head(SCOPE, this.scope.length);
    this.raw(this.scope);
    for (const metric of metrics) this.metric(metric, sinceUnixNs);
  }

  finish(): Uint8Array {
    return this.buffer.subarray(0, this.size);
  }

  private metric({ metric, points, size, dataSize }: SizedMetric, sinceUnixNs: bigint): void {
    const { name, data, tag } = headOf(metric);
    this.head(METRIC, size);
    this.raw(name);
    this.head(tag, dataSize);
    this.raw(data);
    const isSince = metric.kind !== "level" && sinceUnixNs > 0n;
    for (const { value, labels } of points) {
      this.head(POINT, labels.length + (isSince ? 27 : 18));
      this.raw(labels);
      if (isSince) this.eight(START, sinceUnixNs);
      this.eight(TIME, this.timeUnixNs);
      this.buffer[this.size++] = DOUBLE;
      this.size = this.buffer.writeDoubleLE(value, this.size);
    }
  }

  private head(tag: number, size: number): void {
    this.buffer[this.size++] = tag;
    for (let rest = size; ; rest >>>= 7) {
      this.buffer[this.size++] = rest < 0x80 ? rest : (rest & 0x7f) | 0x80;
      if (rest < 0x80) return;
    }
  }

  private raw(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.size);
    this.size += bytes.length;
  }

  private eight(tag: number, value: bigint): void {
    this.buffer[this.size++] = tag;
    this.size = this.buffer.writeBigUInt64LE(value, this.size);
  }

  private reserve(bytes: number): void {
    if (this.size + bytes <= this.buffer.length) return;
    const bigger = Buffer.allocUnsafe(Math.max(2 * this.buffer.length, this.size + bytes));
    bigger.set(this.buffer.subarray(0, this.size));
    this.buffer = bigger;
  }
}

interface Point {
  readonly value: number;
  readonly labels: AttributeBytes;
}

interface SizedMetric {
  readonly metric: Metric;
  readonly points: readonly Point[];
  /** bytes of the metric, and of its sum or gauge */
  readonly size: number;
  readonly dataSize: number;
}

/** The points of one resource. */
export class ResourceMetrics {
  points = 0;
  private readonly held = new Map<Metric, Point[]>();
  private readonly hasSince: boolean;

  constructor(hasSince: boolean) {
    this.hasSince = hasSince;
  }

  /** What is not known (NaN, below zero of a counter) is left out. */
  add(metric: Metric, value: number | undefined, labels: AttributeBytes = NO_ATTRIBUTES): void {
    if (value === undefined || !Number.isFinite(value) || (metric.kind === "counter" && value < 0)) return;
    const held = this.held.get(metric);
    if (held === undefined) this.held.set(metric, [{ value, labels }]);
    else held.push({ value, labels });
    this.points++;
  }

  all(): SizedMetric[] {
    return [...this.held].map(([metric, points]) => {
      const { name, data } = headOf(metric);
      const fixed = metric.kind !== "level" && this.hasSince ? 27 : 18;
      const dataSize = points.reduce((sum, { labels }) => sum + 1 + framed(labels.length + fixed), data.length);
      return { metric, points, dataSize, size: name.length + 1 + framed(dataSize) };
    });
  }
}
