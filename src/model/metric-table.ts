import type { AttributeTable } from "./attribute-table.ts";
import type { StringPool } from "./string-pool.ts";
import type { UnixNs } from "./units.ts";

/** What a series measures, as OTLP has it. */
export const MetricKind = { gauge: 0, sum: 1, histogram: 2, exponentialHistogram: 3, summary: 4 } as const;
export type MetricKind = (typeof MetricKind)[keyof typeof MetricKind];

/** OTLP's numbers: a delta counts since the point before, a cumulative one since its start. */
export const Temporality = { unspecified: 0, delta: 1, cumulative: 2 } as const;
export type Temporality = (typeof Temporality)[keyof typeof Temporality];

/**
 * Metrics as they were received: series, each once, and their points in the order in
 * which they came. Nothing here is corrected: points may be out of time order,
 * occur twice, reset or be NaN; analysis/metric-series.ts deals with that.
 *
 * Strings are ids of `strings`. Columns have `seriesCount` rows.
 */
export interface MetricTable {
  readonly seriesCount: number;
  /** string ids */
  readonly name: Int32Array;
  /** string id as sent ("s", "By", "{request}"), 0 for none; Prometheus says it in the name instead */
  readonly unit: Int32Array;
  /** MetricKind */
  readonly kind: Uint8Array;
  /** Temporality; unspecified for gauges and summaries */
  readonly temporality: Uint8Array;
  /** 1 for sums that never fall but by a reset */
  readonly monotonic: Uint8Array;
  /** list of `resources` */
  readonly resource: Int32Array;
  /** list of `labels` */
  readonly labelSet: Int32Array;
  /** string id of the instrumentation scope's name, 0 for none */
  readonly scope: Int32Array;
  /** each distinct set of attributes of a resource once, ascending by key id, a key at most once */
  readonly resources: AttributeTable;
  /** each distinct set of attributes of a series once, ascending by key id, a key at most once */
  readonly labels: AttributeTable;
  /** Time zero of every offset below. */
  readonly baseUnixNs: UnixNs;
  readonly points: MetricPoints;
  readonly exemplars: ExemplarTable;
  readonly strings: StringPool;
}

/** Points in the order in which they came. */
export interface MetricPoints {
  readonly rowCount: number;
  readonly series: Int32Array;
  /** nanoseconds after `baseUnixNs`; to 32 ns where that is years away */
  readonly timeOffsetNs: Float64Array;
  /** since when a sum or histogram counts; NaN when it was not said */
  readonly startOffsetNs: Float64Array;
  /** the number of a gauge or sum, the sum of all values of a distribution; NaN: none was recorded */
  readonly value: Float64Array;
  /** row of `distributions`, -1 for the points of gauges and sums */
  readonly distribution: Int32Array;
  readonly distributions: Distributions;
}

/** Histograms and summaries of points, in the order of their points. */
export interface Distributions {
  readonly rowCount: number;
  /** number of values */
  readonly count: Float64Array;
  /** smallest and largest value; NaN when it was not said */
  readonly min: Float64Array;
  readonly max: Float64Array;
  /** rowCount + 1 ascending rows of the two columns below; the first is 0 */
  readonly bucketStart: Int32Array;
  /**
   * Histograms: upper bound of a bucket, included, ascending; the last may be Infinity. Those with exponential
   * buckets are spelt out; an empty bucket before the first gives its lower bound.
   * Summaries: the quantile, 0 .. 1.
   */
  readonly bucketBound: Float64Array;
  /** Histograms: values in the bucket. Summaries: the value at the quantile. */
  readonly bucketValue: Float64Array;
}

/** Measurements that name the trace in which they were made, ascending by point. */
export interface ExemplarTable {
  readonly rowCount: number;
  readonly point: Int32Array;
  /** NaN when it was not said */
  readonly timeOffsetNs: Float64Array;
  readonly value: Float64Array;
  /** 4 big-endian words per row */
  readonly traceId: Uint32Array;
  /** 2 words per row, 0,0 for none */
  readonly spanId: Uint32Array;
}

/** Throws when a column's length, an order or a reference is wrong. For tests and after decoding foreign input. */
export function assertMetricTable(table: MetricTable): void {
  const { points, exemplars } = table;
  const { distributions } = points;
  const s = table.seriesCount;
  const n = points.rowCount;
  const lengths: [string, number, number][] = [
    ["name", table.name.length, s],
    ["unit", table.unit.length, s],
    ["kind", table.kind.length, s],
    ["temporality", table.temporality.length, s],
    ["monotonic", table.monotonic.length, s],
    ["resource", table.resource.length, s],
    ["labelSet", table.labelSet.length, s],
    ["scope", table.scope.length, s],
    ["points.series", points.series.length, n],
    ["points.timeOffsetNs", points.timeOffsetNs.length, n],
    ["points.startOffsetNs", points.startOffsetNs.length, n],
    ["points.value", points.value.length, n],
    ["points.distribution", points.distribution.length, n],
    ["distributions.count", distributions.count.length, distributions.rowCount],
    ["distributions.min", distributions.min.length, distributions.rowCount],
    ["distributions.max", distributions.max.length, distributions.rowCount],
    ["distributions.bucketStart", distributions.bucketStart.length, distributions.rowCount + 1],
    ["distributions.bucketBound", distributions.bucketBound.length, distributions.bucketStart.at(-1)!],
    ["distributions.bucketValue", distributions.bucketValue.length, distributions.bucketStart.at(-1)!],
    ["exemplars.point", exemplars.point.length, exemplars.rowCount],
    ["exemplars.timeOffsetNs", exemplars.timeOffsetNs.length, exemplars.rowCount],
    ["exemplars.value", exemplars.value.length, exemplars.rowCount],
    ["exemplars.traceId", exemplars.traceId.length, 4 * exemplars.rowCount],
    ["exemplars.spanId", exemplars.spanId.length, 2 * exemplars.rowCount],
  ];
  for (const [name, have, want] of lengths) {
    if (have !== want) throw new Error(`MetricTable.${name}: ${have} elements, ${want} expected`);
  }
  assertReferences(table);
  assertBuckets(table);
  for (const lists of [table.resources, table.labels]) assertSorted(lists);
}

function assertReferences(table: MetricTable): void {
  const { points, exemplars } = table;
  const inside = (name: string, column: Int32Array, least: number, most: number): void => {
    for (let i = 0; i < column.length; i++) {
      if (column[i]! < least || column[i]! >= most) throw new Error(`MetricTable.${name}[${i}] = ${column[i]}`);
    }
  };
  inside("name", table.name, 0, table.strings.size);
  inside("unit", table.unit, 0, table.strings.size);
  inside("scope", table.scope, 0, table.strings.size);
  inside("resource", table.resource, 0, table.resources.listCount);
  inside("labelSet", table.labelSet, 0, table.labels.listCount);
  inside("points.series", points.series, 0, table.seriesCount);
  inside("points.distribution", points.distribution, -1, points.distributions.rowCount);
  inside("exemplars.point", exemplars.point, 0, points.rowCount);
  for (let row = 0; row < points.rowCount; row++) {
    if (!Number.isFinite(points.timeOffsetNs[row]!)) throw new Error(`MetricTable: time of point ${row} is not finite`);
    const isDistribution = table.kind[points.series[row]!]! >= MetricKind.histogram;
    if (isDistribution !== points.distribution[row]! >= 0) throw new Error(`MetricTable: point ${row} and its kind`);
  }
}

function assertBuckets({ points }: MetricTable): void {
  const { bucketStart, bucketBound, rowCount } = points.distributions;
  for (let row = 0; row < rowCount; row++) {
    for (let i = bucketStart[row]! + 1; i < bucketStart[row + 1]!; i++) {
      if (!(bucketBound[i]! > bucketBound[i - 1]!)) throw new Error(`MetricTable: buckets of distribution ${row}`);
    }
  }
}

function assertSorted(lists: AttributeTable): void {
  for (let list = 0; list < lists.listCount; list++) {
    for (let row = lists.listStart[list]! + 1; row < lists.listStart[list + 1]!; row++) {
      if (lists.key[row]! <= lists.key[row - 1]!) throw new Error(`MetricTable: attributes of list ${list}`);
    }
  }
}
