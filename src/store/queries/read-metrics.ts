import { DISTRIBUTION_COLUMNS, EXEMPLAR_COLUMNS, SAMPLE_COLUMNS } from "../native/metric-blocks.ts";
import { inRange } from "./time-range.ts";

const IN_RANGE = inRange("time");
/** Of the metrics `names` alone; of all where there are none. */
const WITHIN = `${IN_RANGE} AND (empty({names:Array(String)}) OR series IN (SELECT id FROM series WHERE has({names:Array(String)}, CAST(name AS String))))`;

/** Series that have a point in the range. Dictionaries are of no use to who reads each once. */
export const READ_SERIES: string = `SELECT id, CAST(name AS String) AS name, CAST(unit AS String) AS unit, kind, temporality, monotonic,
  CAST(scope AS String) AS scope, resource, labels
FROM series FINAL
WHERE id IN (SELECT series FROM samples WHERE ${WITHIN}) OR id IN (SELECT series FROM distributions WHERE ${WITHIN})
ORDER BY id`;

const points = (table: string, columns: readonly string[], rest: string): string =>
  `SELECT ${columns.join(", ")} FROM ${table} WHERE ${WITHIN} ORDER BY series, time, ${rest}`;

export const READ_SAMPLES: string = points("samples", SAMPLE_COLUMNS, "since, value");
export const READ_DISTRIBUTIONS: string = points(
  "distributions",
  DISTRIBUTION_COLUMNS,
  "since, count, value, counts, bounds",
);
export const READ_EXEMPLARS: string = points("exemplars", EXEMPLAR_COLUMNS, "measured, trace_id, span_id, value");
