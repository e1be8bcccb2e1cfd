import { MetricKind } from "../model/metric-table.ts";
import type { Measure } from "./semantic-measures.ts";
import { type Combine, type Dimension, IDLE, IGNORED, type Rule, RULES } from "./semantic-metric-rules.ts";

/** What a unit says: the dimension, and what a value is to be multiplied with. */
export interface Unit {
  readonly dimension: Dimension;
  readonly scale: number;
  readonly perSecond: boolean;
}

/** A metric's name in its parts. */
export interface MetricName {
  /** lower case, words by "_", without "total", unit and statistic */
  readonly name: string;
  readonly unit: Unit;
  /** a statistic that was made of the measure before it was sent: "p99", "mean", "max"; "" for none */
  readonly statistic: string;
}

export interface Meaning {
  readonly measure: Measure;
  readonly combine: Combine;
  readonly scale: number;
  /** the value is 1 minus the measure */
  readonly inverted: boolean;
  /** a label whose value names the resource: a pool, device, table, queue */
  readonly resource: readonly string[];
}

/** Meaning of a series of this name with these labels of its own, without those of its resource; undefined for what nothing asks for. */
export function meaningOf(
  metric: MetricName,
  kind: MetricKind,
  labels: ReadonlyMap<string, string>,
): Meaning | undefined {
  if (IGNORED.some((pattern) => pattern.test(metric.name))) return undefined;
  for (const rule of RULES) {
    if (!rule.name.test(metric.name)) continue;
    if (rule.dimension !== undefined && !fits(rule.dimension, metric.unit, kind)) continue;
    if (rule.where !== undefined && !holds(rule.where, labels)) continue;
    if (rule.measure === "work-done" && kind !== MetricKind.sum) return undefined;
    return rule.measure === undefined ? undefined : withStatistic(rule, rule.measure, metric, kind);
  }
  return undefined;
}

/** A unit that was not said fits time and bytes of distributions, and shares of gauges, by the name alone. */
function fits(dimension: Unit["dimension"], unit: Unit, kind: MetricKind): boolean {
  if (unit.dimension !== "unknown") return unit.dimension === dimension;
  if (dimension === "time") return kind >= MetricKind.histogram;
  return dimension === "bytes" || (dimension === "share" && kind === MetricKind.gauge);
}

function holds([label, value]: readonly [RegExp, RegExp], labels: ReadonlyMap<string, string>): boolean {
  for (const [key, text] of labels) if (label.test(key)) return value.test(text);
  // `STATE, /./` asks for the label itself.
  return value.source !== "." && value.source !== IDLE.source;
}

const OF_TAIL: Partial<Record<Measure, Measure>> = { "request-time": "request-tail", "call-time": "call-tail" };
const OF_MEAN: Partial<Record<Measure, Measure>> = { "request-time": "request-mean", "call-time": "call-mean" };

function withStatistic(
  rule: Rule,
  said: Measure,
  { statistic, unit }: MetricName,
  kind: MetricKind,
): Meaning | undefined {
  let measure = said;
  let combine: Combine = rule.combine ?? "sum";
  const isTimed = measure === "request-time" || measure === "call-time";
  const isTail = /^(p9|max|p100|q0?9)/.test(statistic);
  if (statistic === "min" || (measure === "event-loop-delay" && statistic !== "" && !isTail)) return undefined;
  if (isTimed && (statistic !== "" || kind === MetricKind.gauge)) {
    if (/^(p[1-8]|q0?[1-8]|median)/.test(statistic) && statistic !== "p50" && statistic !== "median") return undefined;
    measure = (isTail ? OF_TAIL[measure] : OF_MEAN[measure]) ?? measure;
    combine = isTail ? "max" : "mean";
  }
  return { measure, combine, scale: unit.scale, inverted: rule.inverted === true, resource: rule.resource ?? [] };
}

const UNITS: readonly (readonly [RegExp, Unit["dimension"], number])[] = [
  [/^(s|sec|secs|seconds?)$/i, "time", 1],
  [/^(ms|msec|milliseconds?|millis)$/i, "time", 1e-3],
  [/^(us|µs|μs|microseconds?)$/i, "time", 1e-6],
  [/^(ns|nanoseconds?)$/i, "time", 1e-9],
  [/^(m|min|minutes?)$/, "time", 60],
  [/^(by|b|bytes?)$/i, "bytes", 1],
  [/^(kby|kb|kilobytes?)$/i, "bytes", 1e3],
  [/^(kiby|kib)$/i, "bytes", 1024],
  [/^(mby|mb|megabytes?)$/i, "bytes", 1e6],
  [/^(miby|mib)$/i, "bytes", 1024 ** 2],
  [/^(giby|gib|gby|gb|gigabytes?)$/i, "bytes", 1024 ** 3],
  [/^(%|percent)$/i, "share", 0.01],
  [/^(1|ratio)$/i, "share", 1],
  [/^(\{?(v?cpus?|cores?)\}?)$/i, "cores", 1],
  [/^(mcores?|millicores?|\{?millicpu\}?)$/i, "cores", 1e-3],
];

export function unitOf(text: string): Unit {
  const perSecond = /(\/s|\/sec|_per_second|ps)$/i.test(text) && text.length > 2;
  const bare = perSecond ? text.replace(/(\/s|\/sec|_per_second|ps)$/i, "") : text;
  for (const [pattern, dimension, scale] of UNITS) if (pattern.test(bare)) return { dimension, scale, perSecond };
  return { dimension: bare === "" ? "unknown" : "count", scale: 1, perSecond };
}

const SUFFIX_UNITS =
  /_(seconds|milliseconds|millis|ms|microseconds|nanoseconds|bytes|kilobytes|megabytes|percent|ratio|cores|millicores)$/;
const STATISTIC = /_(p\d{1,3}|q\d{1,3}|mean|avg|average|median|max|min|minimum|maximum)$/;

/** Takes a name apart: `process_cpu_seconds_total`, `http.server.request.duration.p99`. */
export function parseName(text: string, unit: string): MetricName {
  let name = text
    .replaceAll(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replace(/^_|_$/g, "")
    .replace(/_total$/, "");
  // A maximum of a pool is a setting, of a duration a statistic.
  const found = /(duration|latency|time|delay|lag|mean|response|seconds|ms)_[a-z0-9]+$/.test(name)
    ? STATISTIC.exec(name)
    : null;
  let statistic = found?.[1] ?? "";
  name = name.slice(0, name.length - (found?.[0].length ?? 0));
  const suffix = SUFFIX_UNITS.exec(name);
  if (suffix !== null) name = name.slice(0, -suffix[0].length);
  const late = statistic === "" && suffix !== null ? STATISTIC.exec(name) : null;
  if (late !== null && /duration|latency|time|delay/.test(name)) {
    statistic = late[1]!;
    name = name.slice(0, -late[0].length);
  }
  const said = unitOf(unit);
  return { name, unit: said.dimension === "unknown" && suffix !== null ? unitOf(suffix[1]!) : said, statistic };
}
