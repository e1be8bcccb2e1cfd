import { inRange } from "./time-range.ts";

export interface SeriesRow {
  readonly id: string;
  readonly name: string;
  readonly unit: string;
  readonly kind: number;
  readonly temporality: number;
  readonly monotonic: number;
  readonly resource: string;
  readonly labels: string;
}

/** `seen` is the end of the day in which a series had a point last. */
export const SERIES_NAMED: string = `SELECT toString(series.id) AS id, name, unit, kind, temporality, monotonic, resource, labels
FROM series FINAL
WHERE seen >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
  AND ({any:UInt8} = 1 OR replaceRegexpAll(name, '[^a-zA-Z0-9_:]', '_') IN {names:Array(String)})
ORDER BY name, series.id
LIMIT {limit:UInt32}`;

const points = (table: string, columns: string): string => `SELECT ${columns}
FROM ${table}
WHERE series IN {ids:Array(UInt64)} AND ${inRange("time")}
ORDER BY series, time
LIMIT {limit:UInt32}`;

export const SAMPLES_OF: string = points("samples", "series, time, value");
export const DISTRIBUTIONS_OF: string = points("distributions", "series, time, value, count, bounds, counts");

export interface BoundsRow {
  readonly series: string;
  readonly bounds: readonly number[];
}

/** Bounds of distributions that have points since a time; infinity, which JSON does not have, is left out. */
export const BOUNDS_OF: string = `SELECT toString(distributions.series) AS series,
  arraySort(arrayFilter(bound -> isFinite(bound), groupUniqArrayArray(bounds))) AS bounds
FROM distributions
WHERE distributions.series IN {ids:Array(UInt64)} AND time >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
GROUP BY distributions.series`;

export interface MatchRow {
  readonly value: string;
}

export const MATCHING: string = `SELECT value FROM (SELECT arrayJoin({values:Array(String)}) AS value)
WHERE match(value, {pattern:String})`;
