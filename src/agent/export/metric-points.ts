import { Message } from "../../formats/protobuf-writer.ts";

/**
 * A metric as OTLP has it: a counter only grows, an amount is a sum that also falls, a level is no sum, a distribution is a
 * histogram that only grows.
 */
export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly kind: "counter" | "amount" | "level" | "distribution";
}

/** Values that a histogram counted. */
export interface Distribution {
  readonly count: number;
  readonly sum: number;
  /** ascending upper bounds of all buckets but the last; the same object each time is what is remembered */
  readonly bounds: readonly number[];
  /** one more than bounds */
  readonly counts: readonly number[];
}

export type AttributeValue = string | number | boolean;

/** Attributes as OTLP's KeyValue fields, made once and written often. */
export type AttributeBytes = Uint8Array;

export const NO_ATTRIBUTES: AttributeBytes = new Uint8Array();

const utf8 = new TextEncoder();
/** Field of KeyValue lists in Resource, and in NumberDataPoint. */
const RESOURCE_FIELD = 1;
const POINT_FIELD = 7;
const DISTRIBUTION_FIELD = 9;

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

/** Of a point of a distribution, which has them in another field. */
export const distributionLabelBytes = (
  attributes: Readonly<Record<string, AttributeValue | undefined>>,
): AttributeBytes => keyValues(DISTRIBUTION_FIELD, attributes);

/** The points of one resource, in the order in which they were added. */
export class ResourceMetrics {
  /** how many rows of the columns count; what stands behind them is of an earlier resource */
  points = 0;
  readonly metrics: Metric[] = [];
  readonly labels: AttributeBytes[] = [];
  readonly values: number[] = [];
  /** since when a point counts, where that is not when its resource began */
  readonly since: (bigint | undefined)[] = [];
  /** of a distribution, whose sum is its value */
  readonly distributions: (Distribution | undefined)[] = [];

  /** What is not known (NaN, below zero of a counter) is left out. */
  add(metric: Metric, value: number | undefined, labels: AttributeBytes = NO_ATTRIBUTES, since?: bigint): void {
    if (value === undefined || !Number.isFinite(value) || (metric.kind === "counter" && value < 0)) return;
    this.push(metric, value, labels, since, undefined);
  }

  /** labels: of `distributionLabelBytes`. */
  addDistribution(metric: Metric, values: Distribution, labels: AttributeBytes, since?: bigint): void {
    this.push(metric, values.sum, labels, since, values);
  }

  private push(
    metric: Metric,
    value: number,
    labels: AttributeBytes,
    since: bigint | undefined,
    distribution: Distribution | undefined,
  ): void {
    this.metrics[this.points] = metric;
    this.labels[this.points] = labels;
    this.since[this.points] = since;
    this.distributions[this.points] = distribution;
    this.values[this.points++] = value;
  }

  /** Rows by metric, in the order in which metrics came first. */
  byMetric(): ReadonlyMap<Metric, readonly number[]> {
    const rows = new Map<Metric, number[]>();
    for (let row = 0; row < this.points; row++) {
      const metric = this.metrics[row]!;
      const held = rows.get(metric);
      if (held === undefined) rows.set(metric, [row]);
      else held.push(row);
    }
    return rows;
  }
}
