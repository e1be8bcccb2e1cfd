import type { MetricPoint } from "./metric-point.ts";

/** When what was counted began, and now; nanoseconds since 1970. */
export interface Interval {
  readonly startUnixNs: bigint;
  readonly nowUnixNs: bigint;
}

const CUMULATIVE = 2;

/** An ExportMetricsServiceRequest in OTLP's JSON, which every receiver of OTLP over HTTP has to take. */
export function metricsRequest(
  points: readonly MetricPoint[],
  { startUnixNs, nowUnixNs }: Interval,
  resource: Readonly<Record<string, string | number>>,
  scope: string,
): string {
  const byName = new Map<string, MetricPoint[]>();
  for (const point of points) byName.set(point.name, [...(byName.get(point.name) ?? []), point]);
  const time = { startTimeUnixNano: String(startUnixNs), timeUnixNano: String(nowUnixNs) };
  const metrics = [...byName].map(([name, series]) => {
    const dataPoints = series.map(({ attributes, value }) => ({
      ...time,
      attributes: attributesOf(attributes),
      ...dataOf(value),
    }));
    const { kind } = series[0]!.value;
    return { name, unit: series[0]!.unit, ...shapeOf(kind, dataPoints) };
  });
  const scopeMetrics = [{ scope: { name: scope }, metrics }];
  return JSON.stringify({ resourceMetrics: [{ resource: { attributes: attributesOf(resource) }, scopeMetrics }] });
}

function dataOf(value: MetricPoint["value"]): object {
  if (value.kind !== "histogram") return { asDouble: value.value };
  const { count, sum, min, max, bounds, buckets } = value;
  return { count: String(count), sum, min, max, explicitBounds: bounds, bucketCounts: buckets.map(String) };
}

function shapeOf(kind: MetricPoint["value"]["kind"], dataPoints: readonly object[]): object {
  if (kind === "gauge") return { gauge: { dataPoints } };
  if (kind === "histogram") return { histogram: { aggregationTemporality: CUMULATIVE, dataPoints } };
  return { sum: { aggregationTemporality: CUMULATIVE, isMonotonic: kind === "counter", dataPoints } };
}

const attributesOf = (attributes: Readonly<Record<string, string | number>>): object[] =>
  Object.entries(attributes).map(([key, value]) => ({
    key,
    value:
      typeof value === "string"
        ? { stringValue: value }
        : Number.isInteger(value)
          ? { intValue: String(value) }
          : { doubleValue: value },
  }));
