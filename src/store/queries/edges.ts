import { inRange } from "./time-range.ts";

export interface EdgeRow {
  readonly caller: string;
  readonly callee: string;
  readonly operation: string;
  readonly count: number;
  readonly errors: number;
  readonly sumNs: number;
}

/** Calls between services: spans whose parent is of another service, in traces up to a hash. */
export const EDGES: string = `SELECT caller.service AS caller, called.service AS callee, called.name AS operation,
  toFloat64(count()) AS count, toFloat64(countIf(called.status = 2)) AS errors,
  sum(toFloat64(greatest(called.duration, 0))) AS sumNs
FROM (
  SELECT trace_id, parent_id, service, name, status, duration FROM spans
  WHERE ${inRange("start")} AND cityHash64(trace_id) <= {highest:UInt64} AND parent_id != toFixedString('', 8)
) AS called
INNER JOIN (
  SELECT trace_id, span_id, service FROM spans
  WHERE start >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') - toIntervalHour(1)
    AND start < fromUnixTimestamp64Nano({to:Int64}, 'UTC') AND cityHash64(trace_id) <= {highest:UInt64}
) AS caller ON called.trace_id = caller.trace_id AND called.parent_id = caller.span_id
WHERE caller.service != called.service
GROUP BY caller, callee, operation
ORDER BY caller, callee, operation`;
