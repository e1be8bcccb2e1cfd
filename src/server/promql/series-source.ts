import { AttributeType } from "../../model/attribute-table.ts";
import { MetricKind, Temporality } from "../../model/metric-table.ts";
import type { MetricLookup, StoredSeries } from "../../store/stored-metrics.ts";
import type { Matcher } from "./expression.ts";
import { type Labels, labelsOf, NAME, valueOf } from "./labels.ts";
import type { Samples } from "./over-time.ts";

/** A series as PromQL sees it. */
export interface PromSeries {
  readonly labels: Labels;
  /** with NaN where a series was said to end */
  readonly samples: Samples;
}

/** What is read for one question at most; beyond, it is refused. */
export const MOST_SERIES = 20_000;
export const MOST_POINTS = 5_000_000;

const NS_PER_MS = 1_000_000n;

/** Series that match, with their samples in [fromMs, toMs]. */
export async function readSeries(
  lookup: MetricLookup,
  matchers: readonly Matcher[],
  fromMs: number,
  toMs: number,
  signal?: AbortSignal,
): Promise<readonly PromSeries[]> {
  const found = await findSeries(lookup, matchers, fromMs, signal);
  const range = { fromUnixNs: nanoseconds(fromMs), toUnixNs: nanoseconds(toMs) + NS_PER_MS };
  const [plain, parts] = [found.filter(({ part }) => part === "value"), found.filter(({ part }) => part !== "value")];
  const samples = await plainSamples(lookup, [...new Set(plain.map(({ stored }) => stored.id))], range, signal);
  const distributions = await distributionSamples(lookup, parts, range, signal);
  const byLabels = new Map<string, PromSeries>();
  for (const one of found) {
    const held = one.part === "value" ? samples.get(one.stored.id) : distributions.get(one.labels.key);
    if (held === undefined || held.timeMs.length === 0) continue;
    const series = { labels: one.labels, samples: one.stored.temporality === Temporality.delta ? summed(held) : held };
    const same = byLabels.get(one.labels.key);
    byLabels.set(
      one.labels.key,
      same === undefined ? series : { ...series, samples: joined(same.samples, series.samples) },
    );
  }
  return [...byLabels.values()];
}

/** Label sets of series that match, of those that may have samples since a time. */
export async function matchingLabels(
  lookup: MetricLookup,
  matchers: readonly Matcher[],
  sinceMs: number,
  signal?: AbortSignal,
): Promise<readonly Labels[]> {
  const sets = new Map((await findSeries(lookup, matchers, sinceMs, signal)).map(({ labels }) => [labels.key, labels]));
  return [...sets.values()];
}

interface Found {
  readonly stored: StoredSeries;
  readonly labels: Labels;
  readonly part: "value" | "bucket" | "sum" | "count" | "quantile";
  /** of a bucket or quantile */
  readonly bound: number;
}

async function findSeries(
  lookup: MetricLookup,
  matchers: readonly Matcher[],
  sinceMs: number,
  signal?: AbortSignal,
): Promise<readonly Found[]> {
  const name = matchers.find(({ label, op }) => label === NAME && op === "=")?.value;
  const names = name === undefined ? undefined : [name, name.replace(/_(?:bucket|sum|count)$/, "")];
  const since = nanoseconds(sinceMs);
  const stored = await lookup.series(since, names, MOST_SERIES, signal);
  const bounds = await boundsOf(lookup, stored, since, signal);
  let found = stored.flatMap((series) => partsOf(series, bounds.get(series.id) ?? []));
  for (const matcher of matchers) found = await kept(lookup, found, matcher, signal);
  return found;
}

/** Bounds of histograms, quantiles of summaries. */
async function boundsOf(
  lookup: MetricLookup,
  stored: readonly StoredSeries[],
  since: bigint,
  signal?: AbortSignal,
): Promise<ReadonlyMap<bigint, readonly number[]>> {
  const ids = stored.filter(({ kind }) => kind !== MetricKind.gauge && kind !== MetricKind.sum).map(({ id }) => id);
  return ids.length === 0 ? new Map() : lookup.bounds(ids, since, signal);
}

/** The series that Prometheus makes of one: a histogram has `_bucket` with `le`, `_sum` and `_count`; a summary `quantile`. */
function partsOf(stored: StoredSeries, bounds: readonly number[]): Found[] {
  const { kind } = stored;
  if (kind === MetricKind.gauge || kind === MetricKind.sum)
    return [{ stored, labels: promLabels(stored, ""), part: "value", bound: NaN }];
  const isSummary = kind === MetricKind.summary;
  const ends: readonly ["sum", "count"] = ["sum", "count"];
  const parts: Found[] = ends.map((part) => ({ stored, labels: promLabels(stored, `_${part}`), part, bound: NaN }));
  if (isSummary)
    for (const bound of bounds)
      parts.push({ stored, labels: promLabels(stored, "", ["quantile", String(bound)]), part: "quantile", bound });
  else
    for (const bound of new Set([...bounds, Infinity])) {
      const le = bound === Infinity ? "+Inf" : String(bound);
      parts.push({ stored, labels: promLabels(stored, "_bucket", ["le", le]), part: "bucket", bound });
    }
  return parts;
}

/**
 * Names as Prometheus has them: what is no letter, digit or _ is _. Of the resource, `job` and `instance` are told, from
 * service.namespace, service.name and service.instance.id, as OpenTelemetry has it; labels of these names come first.
 */
function promLabels({ name, resource, labels }: StoredSeries, end: string, ...more: [string, string][]): Labels {
  const of = (key: string): string => texts(resource).find(([held]) => held === key)?.[1] ?? "";
  const [namespace, service] = [of("service.namespace"), of("service.name")];
  return labelsOf([
    ["job", namespace === "" ? service : `${namespace}/${service}`],
    ["instance", of("service.instance.id")],
    ...texts(labels).map(([key, value]) => [key.replace(/[^a-zA-Z0-9_]/g, "_"), value] as const),
    ...more,
    [NAME, name.replace(/[^a-zA-Z0-9_:]/g, "_") + end],
  ]);
}

function texts(items: readonly (string | number)[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 2 < items.length; i += 3) {
    const isFlag = items[i + 1] === AttributeType.boolean;
    pairs.push([String(items[i]), isFlag ? String(Number(items[i + 2]) === 1) : String(items[i + 2])]);
  }
  return pairs;
}

async function kept(
  lookup: MetricLookup,
  found: readonly Found[],
  { label, op, value }: Matcher,
  signal?: AbortSignal,
): Promise<Found[]> {
  const of = ({ labels }: Found): string => valueOf(labels, label);
  if (op === "=") return found.filter((one) => of(one) === value);
  if (op === "!=") return found.filter((one) => of(one) !== value);
  const matching = await lookup.matching([...new Set(found.map(of))], value, signal);
  return found.filter((one) => matching.has(of(one)) === (op === "=~"));
}

interface Range {
  readonly fromUnixNs: bigint;
  readonly toUnixNs: bigint;
}

async function plainSamples(
  lookup: MetricLookup,
  ids: readonly bigint[],
  range: Range,
  signal?: AbortSignal,
): Promise<ReadonlyMap<bigint, Samples>> {
  const held = new Map<bigint, { timeMs: number[]; value: number[] }>();
  for (const { rowCount, series, timeNs, value } of await lookup.points(ids, range, MOST_POINTS, signal)) {
    for (let row = 0; row < rowCount; row++) {
      let samples = held.get(series[row]!);
      if (samples === undefined) held.set(series[row]!, (samples = { timeMs: [], value: [] }));
      push(samples, Number(timeNs[row]! / NS_PER_MS), value[row]!);
    }
  }
  return new Map([...held].map(([id, samples]) => [id, columns(samples)]));
}

/** By the key of the labels. */
async function distributionSamples(
  lookup: MetricLookup,
  found: readonly Found[],
  range: Range,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Samples>> {
  const held = new Map<string, { timeMs: number[]; value: number[] }>();
  const byId = new Map<bigint, Found[]>();
  for (const one of found) byId.set(one.stored.id, [...(byId.get(one.stored.id) ?? []), one]);
  for (const point of await lookup.distributions([...byId.keys()], range, MOST_POINTS, signal)) {
    for (const { labels, part, bound } of byId.get(point.series)!) {
      let samples = held.get(labels.key);
      if (samples === undefined) held.set(labels.key, (samples = { timeMs: [], value: [] }));
      push(samples, Number(point.timeNs / NS_PER_MS), valueAt(point, part, bound));
    }
  }
  return new Map([...held].map(([key, samples]) => [key, columns(samples)]));
}

function valueAt(
  point: { sum: number; count: number; bounds: Float64Array; counts: Float64Array },
  part: Found["part"],
  bound: number,
): number {
  if (part === "sum") return point.sum;
  if (part === "count" || (part === "bucket" && bound === Infinity)) return point.count;
  if (part === "quantile") return point.counts[point.bounds.indexOf(bound)] ?? NaN;
  let upTo = 0;
  for (let i = 0; i < point.bounds.length && point.bounds[i]! <= bound; i++) upTo += point.counts[i]!;
  return upTo;
}

/** Of several samples of one moment the last counts. */
function push({ timeMs, value }: { timeMs: number[]; value: number[] }, at: number, sample: number): void {
  if (timeMs.at(-1) === at) value[value.length - 1] = sample;
  else {
    timeMs.push(at);
    value.push(sample);
  }
}

const columns = ({ timeMs, value }: { timeMs: number[]; value: number[] }): Samples => ({
  timeMs: Float64Array.from(timeMs),
  value: Float64Array.from(value),
});

/** Deltas as a counter that begins with the first sample that is read. */
function summed({ timeMs, value }: Samples): Samples {
  let total = 0;
  return { timeMs, value: value.map((delta) => (Number.isNaN(delta) ? NaN : (total += delta))) };
}

/** Series that differ in what PromQL does not see: one's samples among the other's. */
function joined(a: Samples, b: Samples): Samples {
  const rows = [...a.timeMs.keys()].map((i) => [a.timeMs[i]!, a.value[i]!] as const);
  for (const i of b.timeMs.keys()) rows.push([b.timeMs[i]!, b.value[i]!]);
  const samples = { timeMs: [] as number[], value: [] as number[] };
  for (const [at, value] of rows.sort((one, other) => one[0] - other[0])) push(samples, at, value);
  return columns(samples);
}

const nanoseconds = (ms: number): bigint => BigInt(Math.round(ms)) * NS_PER_MS;
