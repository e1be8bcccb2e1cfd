const WITHIN = `time >= toStartOfMinute(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND time < fromUnixTimestamp64Nano({to:Int64}, 'UTC')`;

export interface ServiceRow {
  readonly service: string;
}

export const SERVICES: string = `SELECT DISTINCT service FROM red_minute WHERE ${WITHIN} ORDER BY service`;

export interface OperationRow {
  readonly operation: string;
  readonly kind: number;
  readonly count: number;
}

export const OPERATIONS: string = `SELECT name AS operation, kind, toFloat64(sum(count)) AS count FROM red_minute
WHERE service = {service:String} AND ${WITHIN}
GROUP BY operation, kind
ORDER BY count DESC, operation, kind`;
