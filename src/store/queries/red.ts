import type { RedQuery, RedRow } from "../store.ts";

export interface RedSqlRow {
  readonly step: string;
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  readonly n: number;
  readonly failed: number;
  readonly sum: number;
  /** buckets of the three quantiles */
  readonly b50: number;
  readonly b95: number;
  readonly b99: number;
}

const FILTER = `({service:String} = '' OR service = {service:String})
    AND ({operation:String} = '' OR name = {operation:String})
    AND ({roots:UInt8} = 0 OR is_root = 1)`;

/** Bucket in which the value of rank ceil(q n) lies. */
const bucketAt = (q: number): string => `histogram.1[arrayFirstIndex(x -> x >= ${q} * n, sums)]`;

/**
 * Rate, errors and durations from the rollups: whole hours of the range from those by hour where that does not cut a
 * step, the rest from those by minute. A minute counts when it starts in the range.
 */
export const RED: string = `WITH source AS (
  SELECT service, name, kind, time, bucket, count, errors, sum_ns FROM red_minute
  WHERE time >= toDateTime({from:UInt32}, 'UTC') AND time < toDateTime({to:UInt32}, 'UTC')
    AND NOT (time >= toDateTime({fromHour:UInt32}, 'UTC') AND time < toDateTime({toHour:UInt32}, 'UTC'))
    AND ${FILTER}
  UNION ALL
  SELECT service, name, kind, time, bucket, count, errors, sum_ns FROM red_hour
  WHERE time >= toDateTime({fromHour:UInt32}, 'UTC') AND time < toDateTime({toHour:UInt32}, 'UTC') AND ${FILTER}
),
buckets AS (
  SELECT intDiv(toUInt32(time) - {from:UInt32}, {step:UInt32}) * {step:UInt32} + {from:UInt32} AS step,
    service, name, kind, bucket, sum(count) AS c, sum(errors) AS e, sum(sum_ns) AS s
  FROM source
  GROUP BY step, service, name, kind, bucket
)
SELECT step, service, name, kind, toFloat64(sum(c)) AS n, toFloat64(sum(e)) AS failed, sum(s) AS sum,
  arraySort(groupArray((bucket, c))) AS histogram, arrayCumSum(histogram.2) AS sums,
  ${bucketAt(0.5)} AS b50, ${bucketAt(0.95)} AS b95, ${bucketAt(0.99)} AS b99
FROM buckets
GROUP BY step, service, name, kind
ORDER BY step, service, name, kind`;

/** The part of the columns that is wanted: histograms stay in the engine. */
export const RED_ROWS: string = `SELECT toString(step) AS step, service, name, kind, n, failed, sum, b50, b95, b99 FROM (${RED})`;

const NS_PER_S = 1_000_000_000n;
const [MINUTE, HOUR] = [60, 3600];

export function redParameters(query: RedQuery): Record<string, string | number> {
  const from = floorTo(Number(query.fromUnixNs / NS_PER_S), MINUTE);
  const to = Math.max(from + MINUTE, -floorTo(-Number((query.toUnixNs + NS_PER_S - 1n) / NS_PER_S), MINUTE));
  const step = query.stepSeconds ?? to - from;
  if (!(step > 0 && step % MINUTE === 0)) throw new RangeError(`steps of ${step} s: whole minutes are kept`);
  // With one step for all, any hour within the range is in it; else steps have to begin with hours.
  const byHour = query.stepSeconds === undefined || (step % HOUR === 0 && from % HOUR === 0);
  const fromHour = -floorTo(-from, HOUR);
  const toHour = Math.max(fromHour, floorTo(to, HOUR));
  return {
    from,
    to,
    step,
    fromHour: byHour ? fromHour : 0,
    toHour: byHour ? toHour : 0,
    service: query.service ?? "",
    operation: query.operation ?? "",
    roots: query.rootsOnly === true ? 1 : 0,
  };
}

const floorTo = (value: number, step: number): number => Math.floor(value / step) * step;

/** Middle of a bucket, by the ratio of its bounds: within 1 % of all in it. Buckets: src/store/schema/tables.ts. */
const middle = (bucket: number): number => 1.02 ** (bucket + 0.5);

export function redRow(row: RedSqlRow): RedRow {
  return {
    startUnixNs: BigInt(row.step) * NS_PER_S,
    service: row.service,
    operation: row.name,
    kind: row.kind,
    count: row.n,
    errors: row.failed,
    sumNs: row.sum,
    p50Ns: middle(row.b50),
    p95Ns: middle(row.b95),
    p99Ns: middle(row.b99),
  };
}
