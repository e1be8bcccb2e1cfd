import { AttributeType } from "../model/attribute-table.ts";
import { MetricTableBuilder } from "../model/metric-table-builder.ts";
import { MetricKind, type MetricTable, Temporality } from "../model/metric-table.ts";

const BASE_UNIX_S = 1_790_000_000;

/** A point as [seconds, value] or, of a distribution, with what it holds. */
export interface PointObject {
  /** seconds after an arbitrary base */
  readonly at: number;
  readonly start?: number;
  readonly value: number;
  readonly count?: number;
  readonly max?: number;
  readonly buckets?: readonly (readonly [bound: number, value: number])[];
}

export interface SeriesObject {
  readonly name: string;
  readonly unit?: string;
  readonly kind: keyof typeof MetricKind;
  readonly temporality?: keyof typeof Temporality;
  readonly monotonic?: boolean;
  readonly resource?: Readonly<Record<string, string>>;
  /** name of the instrumentation scope */
  readonly scope?: string;
  readonly labels?: Readonly<Record<string, string | number>>;
  readonly points: readonly (PointObject | readonly [at: number, value: number])[];
}

/** A metric table of a few series, for tests. */
export function metricTableOf(...all: readonly SeriesObject[]): MetricTable {
  const into = new MetricTableBuilder();
  for (const series of all) addSeries(into, series);
  return into.finish().table;
}

/** A counter, cumulative unless said otherwise. */
export const counterOf = (
  points: SeriesObject["points"],
  temporality: keyof typeof Temporality = "cumulative",
): MetricTable => metricTableOf({ name: "counter", kind: "sum", temporality, monotonic: true, points });

function addSeries(into: MetricTableBuilder, series: SeriesObject): void {
  const { strings, point } = into;
  const first = into.open;
  const kind = MetricKind[series.kind];
  into.resources.clear();
  for (const [key, value] of Object.entries(series.resource ?? {}))
    into.resources.add(strings.intern(key), AttributeType.string, strings.intern(value));
  const resource = into.resources.close();
  for (const entry of series.points) {
    const given: PointObject = "value" in entry ? entry : { at: entry[0], value: entry[1] };
    into.begin();
    [point.timeHigh, point.timeLow] = words(given.at);
    if (given.start !== undefined) [point.startHigh, point.startLow] = words(given.start);
    point.value = given.value;
    point.count = given.count ?? 0;
    point.max = given.max ?? Number.NaN;
    for (const [bound, value] of given.buckets ?? []) into.addBucket(bound, value);
    for (const [key, value] of Object.entries(series.labels ?? {})) {
      if (typeof value === "number") into.labels.add(strings.intern(key), AttributeType.number, value);
      else into.labels.add(strings.intern(key), AttributeType.string, strings.intern(value));
    }
    into.commit(kind);
  }
  into.assign(first, into.open, {
    resource,
    scope: series.scope === undefined ? 0 : strings.intern(series.scope),
    name: strings.intern(series.name),
    unit: strings.intern(series.unit ?? ""),
    kind,
    temporality: Temporality[series.temporality ?? "unspecified"],
    monotonic: series.monotonic ?? false,
  });
}

function words(seconds: number): [high: number, low: number] {
  const ns = BigInt(Math.round((BASE_UNIX_S + seconds) * 1e6)) * 1000n;
  return [Number(ns >> 32n), Number(ns & 0xffffffffn)];
}
