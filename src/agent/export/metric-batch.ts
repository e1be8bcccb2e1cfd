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

const KIND_FIELD = { counter: 7, amount: 7, level: 5 } as const;
const CUMULATIVE = 2;

/**
 * Points of one moment as one ExportMetricsServiceRequest, grouped by resource and metric, so that what repeats is
 * written once. otlp-metrics-protobuf.ts has the layout.
 */
export class MetricBatch {
  points = 0;
  private readonly request = new Message();
  private readonly scope: Uint8Array;
  private readonly timeUnixNs: bigint;

  constructor(timeUnixNs: bigint, scope: { readonly name: string; readonly version: string }) {
    this.timeUnixNs = timeUnixNs;
    this.scope = new Message().bytes(1, utf8.encode(scope.name)).bytes(2, utf8.encode(scope.version)).finish();
  }

  /** Adds all points of a resource. since: when its counters began, 0 where that is not known. */
  resource(attributes: AttributeBytes, sinceUnixNs: bigint, fill: (into: ResourceMetrics) => void): void {
    const into = new ResourceMetrics(this.timeUnixNs, sinceUnixNs);
    fill(into);
    if (into.points === 0) return;
    this.points += into.points;
    const scopeMetrics = new Message().bytes(1, this.scope);
    into.writeTo(scopeMetrics);
    this.request.message(1, new Message().message(1, new Message().raw(attributes)).message(2, scopeMetrics));
  }

  finish(): Uint8Array {
    return this.request.finish();
  }
}

/** The points of one resource. */
export class ResourceMetrics {
  points = 0;
  private readonly held = new Map<Metric, Message>();
  private readonly times: readonly [high: number, low: number];
  private readonly since: readonly [high: number, low: number];

  constructor(timeUnixNs: bigint, sinceUnixNs: bigint) {
    this.times = words(timeUnixNs);
    this.since = words(sinceUnixNs);
  }

  /** What is not known (NaN, below zero of a counter) is left out. */
  add(metric: Metric, value: number | undefined, labels: AttributeBytes = NO_ATTRIBUTES): void {
    if (value === undefined || !Number.isFinite(value) || (metric.kind === "counter" && value < 0)) return;
    let data = this.held.get(metric);
    if (data === undefined) this.held.set(metric, (data = new Message()));
    const point = new Message().raw(labels);
    const isCounted = metric.kind !== "level" && (this.since[0] !== 0 || this.since[1] !== 0);
    if (isCounted) point.fixed64(2, ...this.since);
    data.message(1, point.fixed64(3, ...this.times).double(4, value));
    this.points++;
  }

  writeTo(scopeMetrics: Message): void {
    for (const [{ name, unit, kind }, data] of this.held) {
      if (kind !== "level") data.number(2, CUMULATIVE).number(3, kind === "counter" ? 1 : 0);
      const metric = new Message().bytes(1, utf8.encode(name)).bytes(3, utf8.encode(unit));
      scopeMetrics.message(2, metric.message(KIND_FIELD[kind], data));
    }
  }
}

const words = (ns: bigint): [number, number] => [Number(BigInt.asUintN(64, ns) >> 32n), Number(ns & 0xffff_ffffn)];
