import { inRange } from "./time-range.ts";

export interface EdgeRow {
  readonly caller: string;
  readonly callee: string;
  readonly operation: string;
  readonly count: number;
  readonly errors: number;
  readonly sumNs: number;
}

/** Spans whose parent is of another service, in traces whose hash is in [lowest, highest]; `db` before names of tables. */
const calls = (db: string, columns: string, group: string): string => `SELECT ${columns}
FROM (
  SELECT trace_id, parent_id, service, name, status, duration, start FROM ${db}spans
  WHERE ${inRange("start")} AND cityHash64(trace_id) BETWEEN {lowest:UInt64} AND {highest:UInt64}
    AND parent_id != toFixedString('', 8)
) AS called
INNER JOIN (
  SELECT trace_id, span_id, service FROM ${db}spans
  WHERE start >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') - toIntervalMinute(10)
    AND start < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
    AND cityHash64(trace_id) BETWEEN {lowest:UInt64} AND {highest:UInt64}
) AS caller ON called.trace_id = caller.trace_id AND called.parent_id = caller.span_id
WHERE caller.service != called.service
GROUP BY ${group}
ORDER BY ${group}`;

const NAMES = "caller.service AS caller, called.service AS callee, called.name AS operation";
const SUMS = "count() AS count, countIf(called.status = 2) AS errors, sum(toFloat64(greatest(called.duration, 0)))";

/**
 * Calls between services, by a join. A caller is looked for among the spans that began up to ten minutes before the
 * range too.
 */
export const EDGES: string = calls(
  "",
  `${NAMES}, toFloat64(count()) AS count, toFloat64(countIf(called.status = 2)) AS errors, sum(toFloat64(greatest(called.duration, 0))) AS sumNs`,
  "caller, callee, operation",
);

/** The same by the minute, into the rollup; a range is whole hours. */
export const rollUpEdges = (db: string): string =>
  `INSERT INTO ${db}edges (caller, callee, operation, time, count, errors, sum_ns)
${calls(db, `${NAMES}, toStartOfMinute(toDateTime(called.start, 'UTC')) AS minute, ${SUMS} AS sum_ns`, "caller, callee, operation, minute")}`;

/** Hours of which the rollup has all and the range a part, and how many spans they have. */
export const EDGE_HOURS: string = `SELECT toUInt32(time) AS hour, toFloat64(max(spans)) AS spans FROM edge_hours
WHERE time > fromUnixTimestamp64Nano({from:Int64}, 'UTC') - toIntervalHour(1)
  AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
GROUP BY time
ORDER BY time`;

export interface EdgeHourRow {
  /** seconds since 1970 */
  readonly hour: number;
  readonly spans: number;
}

/** Calls of these hours, from the rollup; a minute counts when it starts in the range, or this in it. */
export const ROLLED_UP_EDGES: string = `SELECT caller, callee, operation, toFloat64(sum(count)) AS count,
  toFloat64(sum(errors)) AS errors, sum(sum_ns) AS sumNs
FROM edges
WHERE toUInt32(toStartOfHour(time)) IN {hours:Array(UInt32)}
  AND time >= toStartOfMinute(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
GROUP BY caller, callee, operation`;

/** Hours with spans that are over, the oldest first. */
export const HOURS_WITH_SPANS: string = `SELECT toUInt32(toStartOfHour(time)) AS hour FROM red_hour
WHERE ${inRange("toDateTime64(time, 9, 'UTC')")}
GROUP BY hour
ORDER BY hour`;

/** In how many parts an hour is counted, once that was written down; of two who began at once the lesser. */
export const EDGE_PARTS: string = `SELECT toUInt32(min(parts)) AS parts FROM edge_parts
WHERE toUInt32(time) = {hour:UInt32}
GROUP BY time`;

export interface EdgePartsRow {
  readonly parts: number;
}
