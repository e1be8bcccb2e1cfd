import type { RedQuery, RedRow } from "../store.ts";

export interface RedSqlRow {
  readonly step: string;
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  readonly n: number;
  readonly failed: number;
  readonly sum: number;
  /** of the three quantiles */
  readonly buckets: readonly [number, number, number];
}

const FILTER = `({service:String} = '' OR service = {service:String})
    AND ({operation:String} = '' OR name = {operation:String})
    AND ({roots:UInt8} = 0 OR is_root = 1)`;

const columns = "service, name, kind, time, bucket, count, errors, sum_ns";

/** The rows of a rollup from one time to another. */
const part = (table: string, from: string, to: string): string => `SELECT ${columns} FROM ${table}
  WHERE time >= toDateTime({${from}:UInt32}, 'UTC') AND time < toDateTime({${to}:UInt32}, 'UTC') AND ${FILTER}`;

/**
 * Rate, errors and durations from the rollups: whole days and hours of the range from those by day and hour where
 * that does not cut a step, the rest from those by minute. A minute counts when it starts in the range. A quantile is
 * the bucket in which the value of rank ceil(q n) lies.
 */
export const RED_ROWS: string = `WITH source AS (
  ${part("red_minute", "from", "fromHour")}
  UNION ALL ${part("red_hour", "fromHour", "fromDay")}
  UNION ALL ${part("red_day", "fromDay", "toDay")}
  UNION ALL ${part("red_hour", "toDay", "toHour")}
  UNION ALL ${part("red_minute", "toHour", "to")}
)
SELECT toString(intDiv(toUInt32(time) - {from:UInt32}, {step:UInt32}) * {step:UInt32} + {from:UInt32}) AS step,
  service, name, kind, toFloat64(sum(count)) AS n, toFloat64(sum(errors)) AS failed, sum(sum_ns) AS sum,
  quantilesExactWeighted(0.5, 0.95, 0.99)(bucket, count) AS buckets
FROM source
GROUP BY step, service, name, kind
ORDER BY step, service, name, kind`;

const NS_PER_S = 1_000_000_000n;
const [MINUTE, HOUR, DAY] = [60, 3600, 86_400];

export function redParameters(query: RedQuery): Record<string, string | number> {
  const from = floorTo(Number(query.fromUnixNs / NS_PER_S), MINUTE);
  const to = Math.max(from + MINUTE, -floorTo(-Number((query.toUnixNs + NS_PER_S - 1n) / NS_PER_S), MINUTE));
  const step = query.stepSeconds ?? to - from;
  if (!(step > 0 && step % MINUTE === 0)) throw new RangeError(`steps of ${step} s: whole minutes are kept`);
  // With one step for all, any hour within the range is in it; else steps have to begin with hours.
  const isOne = query.stepSeconds === undefined;
  const [fromHour, toHour] = within(from, to, HOUR, isOne || (step % HOUR === 0 && from % HOUR === 0));
  const [fromDay, toDay] = within(fromHour, toHour, DAY, isOne || (step % DAY === 0 && from % DAY === 0));
  return {
    from,
    to,
    step,
    fromHour,
    fromDay,
    toDay,
    toHour,
    service: query.service ?? "",
    operation: query.operation ?? "",
    roots: query.rootsOnly === true ? 1 : 0,
  };
}

/** The whole units within a range; none, at its end, where they may not be used or there are none. */
function within(from: number, to: number, unit: number, isAllowed: boolean): [number, number] {
  const [first, last] = [-floorTo(-from, unit), floorTo(to, unit)];
  return isAllowed && first < last ? [first, last] : [to, to];
}

const floorTo = (value: number, step: number): number => Math.floor(value / step) * step;

/** Middle of a bucket, by the ratio of its bounds: within 1 % of all in it. Buckets: src/store/schema/tables.ts. */
const middle = (bucket: number): number => 1.02 ** (bucket + 0.5);

export function redRow(row: RedSqlRow): RedRow {
  const [p50, p95, p99] = row.buckets;
  return {
    startUnixNs: BigInt(row.step) * NS_PER_S,
    service: row.service,
    operation: row.name,
    kind: row.kind,
    count: row.n,
    errors: row.failed,
    sumNs: row.sum,
    p50Ns: middle(p50),
    p95Ns: middle(p95),
    p99Ns: middle(p99),
  };
}
