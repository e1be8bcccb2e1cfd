import type { SeriesObject } from "./metric-table.ts";

type More = Pick<SeriesObject, "resource" | "labels">;

/** A gauge as PostgreSQL's collector names it, the same at both ends of a minute. */
export const postgresGauge = (name: string, value: number, more: More): SeriesObject => ({
  name: `postgresql.${name}`,
  kind: "gauge",
  ...more,
  points: [
    [0, value],
    [60, value],
  ],
});

/** A counter of it, from zero to `value` within the minute. */
export const postgresTotal = (name: string, value: number, more: More): SeriesObject => ({
  name: `postgresql.${name}`,
  kind: "sum",
  temporality: "cumulative",
  monotonic: true,
  ...more,
  points: [
    [0, 0],
    [60, value],
  ],
});
