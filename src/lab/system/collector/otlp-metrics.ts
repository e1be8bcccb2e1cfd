/** Metrics as OTLP's JSON has them: what a Collector beside the services would send. */
export type Attributes = Readonly<Record<string, string>>;

export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** "total" only rises, from `startUnixMs` on; "amount" may also fall and can be added up; "gauge" cannot */
  readonly kind: "total" | "amount" | "gauge";
  readonly value: number;
  readonly attributes?: Attributes;
}

export interface ResourceFigures {
  readonly resource: Attributes;
  readonly scope: string;
  /** since when its totals count */
  readonly startUnixMs: number;
  readonly figures: readonly Figure[];
}

const CUMULATIVE = 2;

/** Body of a request to `/v1/metrics`; all figures are of `nowUnixMs`. */
export function otlpMetrics(resources: readonly ResourceFigures[], nowUnixMs: number): object {
  return {
    resourceMetrics: resources.map(({ resource, scope, startUnixMs, figures }) => ({
      resource: { attributes: keyValues(resource) },
      scopeMetrics: [
        {
          scope: { name: scope },
          metrics: [...byName(figures).values()].map((points) => metricOf(points, startUnixMs, nowUnixMs)),
        },
      ],
    })),
  };
}

function byName(figures: readonly Figure[]): Map<string, [Figure, ...Figure[]]> {
  const metrics = new Map<string, [Figure, ...Figure[]]>();
  for (const figure of figures) {
    const metric = metrics.get(figure.name);
    if (metric === undefined) metrics.set(figure.name, [figure]);
    else metric.push(figure);
  }
  return metrics;
}

function metricOf(figures: readonly [Figure, ...Figure[]], startUnixMs: number, nowUnixMs: number): object {
  const [{ name, unit, kind }] = figures;
  const dataPoints = figures.map(({ value, attributes = {} }) => ({
    attributes: keyValues(attributes),
    startTimeUnixNano: nanoseconds(startUnixMs),
    timeUnixNano: nanoseconds(nowUnixMs),
    ...(Number.isInteger(value) ? { asInt: String(value) } : { asDouble: value }),
  }));
  if (kind === "gauge") return { name, unit, gauge: { dataPoints } };
  return { name, unit, sum: { dataPoints, aggregationTemporality: CUMULATIVE, isMonotonic: kind === "total" } };
}

function keyValues(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: { stringValue: value } }));
}

/** As text: nanoseconds since 1970 do not fit a double. */
function nanoseconds(unixMs: number): string {
  return String(BigInt(Math.round(unixMs)) * 1_000_000n);
}
