import { ShapeMark, SHAPE_END, shapeKey } from "../native/span-attributes.ts";
import { StoreError } from "../store-error.ts";
import type { TimeRange, TraceQuery, TraceSummary } from "../store.ts";
import { inRange } from "./time-range.ts";

export interface FoundRow {
  readonly id: string;
  readonly hash: string;
  readonly longest: string;
  /** start of the span */
  readonly at: string;
}

const CONDITIONS = `${inRange("start")}
  AND ({service:String} = '' OR service = {service:String})
  AND ({operation:String} = '' OR name = {operation:String})
  AND duration BETWEEN {least:Int64} AND {most:Int64}
  AND ({failed:UInt8} = 0 OR status = 2)`;

/**
 * Spans found, the newest or slowest; a trace may be among them more than once, which `searchTraces` sees to. Which of
 * equal ones come is left open: a second key of the order would read all of them.
 */
const select = (table: string, conditions: string, order: string): string => `SELECT lower(hex(trace_id)) AS id,
  toString(cityHash64(trace_id)) AS hash, toString(duration) AS longest, toString(toUnixTimestamp64Nano(start)) AS at
FROM ${table}
WHERE ${conditions}
ORDER BY ${order} DESC
LIMIT {limit:UInt32}`;

/**
 * The query for traces with such a span. Of attributes nothing is asked: then what services were asked for
 * and what failed is looked through (table `entries`), else all spans.
 */
export function searchSql(query: TraceQuery): string {
  const order = query.order === "slowest" ? "duration" : "start";
  const attributes = query.attributes ?? [];
  if (attributes.length === 0) return select("entries", CONDITIONS, order);
  const conditions = attributes.map(({ value }, i) => attributeCondition(i, value));
  return select("spans", [CONDITIONS, ...conditions].join("\n  AND "), order);
}

/**
 * Attribute number `i` has its value. The first line asks the index of values, whatever their key (`by_value` in
 * schema/version-2.ts); the second, on dictionaries, whether the span has the key; the rest are exact, by the place
 * that the span's shape gives the value (span-attributes.ts). Each is a condition of its own, so that the next is
 * only asked of what the one before left.
 */
function attributeCondition(i: number, value: string): string {
  const given = `{value${i}:String}`;
  const holds = (mark: string): string => `position(shape, {mark_${mark}${i}:String}) > 0`;
  const placed = (values: string, mark: string, marks: string): string =>
    `${holds(mark)} AND ${values}[indexOf(arrayFilter(part -> position('${marks}', substring(part, 1, 1)) > 0, ` +
    `splitByChar(char(31), toString(shape))), trimRight({mark_${mark}${i}:String}, char(31)))]`;
  const isNumber = numberOf(value) !== undefined;
  const flag = value === "true" ? "y" : value === "false" ? "f" : undefined;
  const any = (...parts: readonly (string | undefined)[]): string =>
    `(${parts.filter((part) => part !== undefined).join(" OR ")})`;
  return [
    any(
      `has(labels, ${given})`,
      `has(texts, ${given})`,
      isNumber ? `has(numbers, {number${i}:Float64})` : undefined,
      flag === undefined ? undefined : holds(flag),
    ),
    any(holds("l"), holds("t"), isNumber ? holds("n") : undefined, flag === undefined ? undefined : holds(flag)),
    any(
      `(${placed("labels", "l", "l")} = ${given})`,
      `(${placed("texts", "t", "tj")} = ${given})`,
      isNumber ? `(${placed("numbers", "n", "n")} = {number${i}:Float64})` : undefined,
      flag === undefined ? undefined : holds(flag),
    ),
  ].join("\n  AND ");
}

/** The number that a text says, if it says one. */
function numberOf(text: string): number | undefined {
  const number = text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(number) ? number : undefined;
}

const [MINUTE_NS, HOUR_NS] = [60_000_000_000n, 3_600_000_000_000n];
const HOUR_S = 3600n;
/** The newest are looked for in the last so much of a range, then in more. */
const REACHES_NS: readonly bigint[] = [2n * MINUTE_NS, HOUR_NS, 24n * HOUR_NS];

/** Parts of a range, each within the next, in which the newest are looked for in turn; the last is all of it. */
export function searchRanges({ fromUnixNs, toUnixNs, order }: TraceQuery): readonly TimeRange[] {
  const all = { fromUnixNs, toUnixNs };
  if (order === "slowest") return [all];
  // A part that is nearly all of the range would be read twice.
  const parts = REACHES_NS.filter((reach) => 2n * reach < toUnixNs - fromUnixNs);
  return [...parts.map((reach) => ({ fromUnixNs: toUnixNs - reach, toUnixNs })), all];
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
    parameters[`number${i}`] = numberOf(value) ?? 0;
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

/** Parameters of SUMMARIES. */
export function summaryParameters(found: readonly FoundRow[]): {
  readonly [name: string]: bigint | readonly (string | bigint)[];
} {
  const hourOf = ({ at }: FoundRow): bigint => (BigInt(at) / HOUR_NS) * HOUR_S;
  const around = found.flatMap((row) => [hourOf(row) - HOUR_S, hourOf(row), hourOf(row) + HOUR_S]);
  return {
    hours: around,
    hashes: found.flatMap(({ hash }) => [BigInt(hash), BigInt(hash), BigInt(hash)]),
    ids: found.map(({ id }) => id.toUpperCase()),
  };
}

/**
 * What the traces are: the root is the earliest span without a parent, else the earliest. Spans are looked for in the hour
 * of the one that was found and those next to it, each a place in the order of the table: of all hours it would take a
 * second per week.
 */
export const SUMMARIES: string = `SELECT lower(hex(trace_id)) AS id,
  argMin(service, (parent_id != toFixedString('', 8), start)) AS root_service,
  argMin(name, (parent_id != toFixedString('', 8), start)) AS root_name,
  toString(toUnixTimestamp64Nano(min(start))) AS first,
  toString(max(toUnixTimestamp64Nano(start) + duration) - toUnixTimestamp64Nano(min(start))) AS lasted,
  toUInt32(count()) AS spans, toUInt32(countIf(status = 2)) AS errors, arraySort(groupUniqArray(service)) AS services
FROM spans
WHERE (toStartOfHour(start), cityHash64(trace_id)) IN (
    SELECT toDateTime(place.1, 'UTC'), place.2
    FROM (SELECT arrayJoin(arrayZip({hours:Array(UInt32)}, {hashes:Array(UInt64)})) AS place)
  ) AND hex(trace_id) IN {ids:Array(String)}
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
