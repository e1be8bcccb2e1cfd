import { ShapeMark, SHAPE_END, shapeKey } from "../native/span-attributes.ts";
import { StoreError } from "../store-error.ts";
import type { TraceQuery, TraceSummary } from "../store.ts";
import { inRange } from "./time-range.ts";

export interface FoundRow {
  readonly id: string;
  readonly hash: string;
  readonly longest: string;
}

const CONDITIONS = `${inRange("start")}
  AND ({service:String} = '' OR service = {service:String})
  AND ({operation:String} = '' OR name = {operation:String})
  AND duration BETWEEN {least:Int64} AND {most:Int64}
  AND ({failed:UInt8} = 0 OR status = 2)`;

/** Spans found, the newest or slowest; a trace may be among them more than once, which `searchTraces` sees to. */
const select = (table: string, conditions: string, order: string): string => `SELECT lower(hex(trace_id)) AS id,
  toString(cityHash64(trace_id)) AS hash, toString(duration) AS longest
FROM ${table}
WHERE ${conditions}
ORDER BY ${order} DESC, trace_id
LIMIT {limit:UInt32}`;

/**
 * The query for traces with such a span. Of attributes nothing is asked: then what services were asked for
 * and what failed is looked through (table `entries`), else all spans.
 */
export function searchSql(query: TraceQuery): string {
  const order = query.order === "slowest" ? "duration" : "start";
  const attributes = query.attributes ?? [];
  if (attributes.length === 0) return select("entries", CONDITIONS, order);
  return select("spans", [CONDITIONS, ...attributes.map((_, i) => attributeCondition(i))].join("\n  AND "), order);
}

/**
 * Attribute number `i` has its value: by the place that the span's shape gives it (span-attributes.ts). The first
 * line, on dictionaries, leaves out nearly all others.
 */
function attributeCondition(i: number): string {
  const holds = (mark: string): string => `position(shape, {mark_${mark}${i}:String}) > 0`;
  const placed = (values: string, marks: string): string =>
    `${values}[indexOf(arrayFilter(part -> position('${marks}', substring(part, 1, 1)) > 0, splitByChar(char(31), toString(shape))), `;
  const place = (values: string, mark: string, marks: string): string =>
    `${placed(values, marks)}trimRight({mark_${mark}${i}:String}, char(31)))]`;
  return `(
    (${holds("l")} AND has(labels, {value${i}:String}) AND ${place("labels", "l", "l")} = {value${i}:String})
    OR (${holds("t")} AND ${place("texts", "t", "tj")} = {value${i}:String})
    OR (${holds("n")} AND ${place("numbers", "n", "n")} = toFloat64OrNull({value${i}:String}))
    OR ({value${i}:String} = 'true' AND ${holds("y")})
    OR ({value${i}:String} = 'false' AND ${holds("f")})
  )`;
}

const [LEAST, MOST] = ["-9223372036854775808", "9223372036854775807"];
const [DEFAULT_LIMIT, MAX_LIMIT] = [20, 1000];

/** How many traces are asked for. */
export function searchLimit({ limit = DEFAULT_LIMIT }: TraceQuery): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new StoreError("refused", `a limit of ${limit} traces: from 1 to ${MAX_LIMIT}`);
}

/** `limit`: of spans. */
export function searchParameters(query: TraceQuery, limit: number): Record<string, string | number | bigint> {
  const parameters: Record<string, string | number | bigint> = {
    from: query.fromUnixNs,
    to: query.toUnixNs,
    service: query.service ?? "",
    operation: query.operation ?? "",
    least: query.minDurationNs === undefined ? LEAST : BigInt(Math.ceil(query.minDurationNs)),
    most: query.maxDurationNs === undefined ? MOST : BigInt(Math.floor(query.maxDurationNs)),
    failed: query.errorsOnly === true ? 1 : 0,
    limit,
  };
  for (const [i, { key, value }] of (query.attributes ?? []).entries()) {
    parameters[`value${i}`] = value;
    for (const mark of Object.values(ShapeMark)) parameters[`mark_${mark}${i}`] = mark + shapeKey(key) + SHAPE_END;
  }
  return parameters;
}

export interface SummaryRow {
  readonly id: string;
  readonly root_service: string;
  readonly root_name: string;
  readonly first: string;
  readonly lasted: string;
  readonly spans: number;
  readonly errors: number;
  readonly services: readonly string[];
}

/** What the traces are, whole: the root is the earliest span without a parent, else the earliest. */
export const SUMMARIES: string = `SELECT lower(hex(trace_id)) AS id,
  argMin(service, (parent_id != toFixedString('', 8), start)) AS root_service,
  argMin(name, (parent_id != toFixedString('', 8), start)) AS root_name,
  toString(toUnixTimestamp64Nano(min(start))) AS first,
  toString(max(toUnixTimestamp64Nano(start) + duration) - toUnixTimestamp64Nano(min(start))) AS lasted,
  toUInt32(count()) AS spans, toUInt32(countIf(status = 2)) AS errors, arraySort(groupUniqArray(service)) AS services
FROM spans
WHERE cityHash64(trace_id) IN {hashes:Array(UInt64)} AND hex(trace_id) IN {ids:Array(String)}
GROUP BY trace_id`;

export function traceSummary(row: SummaryRow, found: FoundRow): TraceSummary {
  return {
    traceId: row.id,
    rootService: row.root_service,
    rootOperation: row.root_name,
    startUnixNs: BigInt(row.first),
    durationNs: Number(row.lasted),
    spans: row.spans,
    errors: row.errors,
    services: row.services,
    matchDurationNs: Number(found.longest),
  };
}
