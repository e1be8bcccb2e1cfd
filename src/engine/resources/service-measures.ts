import type { Grid } from "../../analysis/signal.ts";
import type { Measure } from "../semantic-measures.ts";
import type { Combine } from "../semantic-metric-rules.ts";
import { type Measures, merge, type MeasureSeries } from "./read-measures.ts";

/** A measure of a service: all its instances together. */
export interface ServiceMeasure {
  readonly service: string;
  readonly measure: Measure;
  /** the pool, device, table or queue; "" for none */
  readonly resource: string;
  readonly values: Float64Array;
  readonly metrics: readonly string[];
  readonly instances: readonly MeasureSeries[];
}

/** Measures by service, as the diagnosis asks for them. */
export interface ServiceMeasures {
  readonly grid: Grid;
  readonly baseUnixNs: bigint;
  readonly services: ReadonlyMap<string, readonly ServiceMeasure[]>;
  /** those of machines, by host.name, whoever sent them */
  readonly hosts: ReadonlyMap<string, readonly ServiceMeasure[]>;
  readonly edges: readonly ServiceEdge[];
}

export interface ServiceEdge {
  readonly client: string;
  readonly server: string;
  readonly rate: Float64Array;
}

/** Sums shares of instances would be no share: of those, and of quantiles, the worst instance counts. */
export function byService(measures: Measures): ServiceMeasures {
  const services = new Map<string, Map<string, Group>>();
  const hosts = new Map<string, Map<string, Group>>();
  const edges: ServiceEdge[] = [];
  for (const series of measures.series) {
    if (series.ends !== undefined) {
      if (series.measure === "edge-rate") edges.push({ ...series.ends, rate: series.values });
      continue;
    }
    const isHost = series.measure.startsWith("host-") || series.measure === "run-queue";
    if (isHost && series.host !== "") collect(hosts, series.host, series);
    if (series.service !== "") collect(services, series.service, series);
    else if (!isHost && series.host !== "") collect(hosts, series.host, series);
  }
  return {
    grid: measures.grid,
    baseUnixNs: measures.baseUnixNs,
    services: finished(services, measures.grid.count, false),
    hosts: finished(hosts, measures.grid.count, true),
    edges,
  };
}

interface Group {
  readonly measure: Measure;
  readonly resource: string;
  readonly combine: Combine;
  readonly instances: MeasureSeries[];
}

function collect(into: Map<string, Map<string, Group>>, name: string, series: MeasureSeries): void {
  let groups = into.get(name);
  if (groups === undefined) into.set(name, (groups = new Map()));
  const key = `${series.measure} ${series.resource}`;
  const held = groups.get(key);
  if (held === undefined) {
    const { measure, resource, combine } = series;
    groups.set(key, { measure, resource, combine, instances: [series] });
  } else held.instances.push(series);
}

/** `sameThing`: several processes of one machine tell the same of it: one of them is enough. */
function finished(
  all: Map<string, Map<string, Group>>,
  windows: number,
  sameThing: boolean,
): Map<string, readonly ServiceMeasure[]> {
  return new Map(
    [...all].map(([service, groups]) => [
      service,
      [...groups.values()].map(({ measure, resource, combine, instances }): ServiceMeasure => {
        const values = merged(instances, windows, sameThing ? "max" : combine);
        return { service, measure, resource, values, metrics: instances[0]!.metrics, instances };
      }),
    ]),
  );
}

function merged(instances: readonly MeasureSeries[], windows: number, combine: Combine): Float64Array {
  const values = new Float64Array(windows).fill(Number.NaN);
  for (const { values: own } of instances) merge(values, own, combine);
  return values;
}

/** What one instance of a service measured. */
export function ofInstance(all: readonly ServiceMeasure[], instance: string): ServiceMeasure[] {
  return all.flatMap((one) => {
    const instances = one.instances.filter((series) => series.instance === instance);
    const [first] = instances;
    if (first === undefined) return [];
    const values = merged(instances, one.values.length, first.combine);
    return [{ ...one, instances, values, metrics: first.metrics }];
  });
}

export function measureOf(
  all: readonly ServiceMeasure[] | undefined,
  measure: Measure,
  resource?: string,
): ServiceMeasure | undefined {
  return all?.find((one) => one.measure === measure && (resource === undefined || one.resource === resource));
}

export const valuesOf = (all: readonly ServiceMeasure[] | undefined, measure: Measure): Float64Array | undefined =>
  measureOf(all, measure)?.values;

/** A share that has not moved by this much in the whole window is one since the start of the process. */
const STANDS_STILL = 0.02;

/** A loop that is active for this share of the time does nothing else, whatever it is active with. */
const ALWAYS = 0.9;

/**
 * Share of the time in which the event loop runs: of its counters where they are sent. The gauge beside them is, in
 * some versions, a mean since the start of the process, which a busy start keeps up for hours: it counts only
 * where there is nothing else, and where it moves. Both count time in which the loop is awake with nothing
 * to compute (idle services of Node 20 with a delay monitor say 0.6): what its process computes is the bound, unless it
 * is awake all the time, which waiting for a processor or for a synchronous call explains as well.
 */
export function eventLoopShare(all: readonly ServiceMeasure[] | undefined): ServiceMeasure | undefined {
  const said = saidLoopShare(all);
  const cores = measureOf(all, "cpu-used");
  if (said === undefined || cores === undefined) return said;
  const processes = Math.max(1, cores.instances.length);
  const values = said.values.map((value, i) => {
    const computed = cores.values[i]! / processes;
    return value >= ALWAYS || !(computed < value) ? value : computed;
  });
  return { ...said, values };
}

function saidLoopShare(all: readonly ServiceMeasure[] | undefined): ServiceMeasure | undefined {
  const active = measureOf(all, "event-loop-active");
  const idle = valuesOf(all, "event-loop-idle");
  if (active !== undefined && idle !== undefined) {
    const values = active.values.map((value, i) => value / (value + idle[i]!));
    return { ...active, measure: "event-loop-share", values };
  }
  const share = measureOf(all, "event-loop-share");
  if (share === undefined) return undefined;
  const known = share.values.filter((value) => Number.isFinite(value));
  const least = known.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const isFull = least >= ALWAYS;
  return isFull || known.length < 3 || largestOf(known) - least >= STANDS_STILL ? share : undefined;
}

/** Mean of the finite values; NaN with none. */
export function meanOf(values: ArrayLike<number> | undefined): number {
  if (values === undefined) return Number.NaN;
  let sum = 0;
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i]!)) continue;
    sum += values[i]!;
    count++;
  }
  return count === 0 ? Number.NaN : sum / count;
}

export function largestOf(values: ArrayLike<number> | undefined): number {
  let most = Number.NaN;
  for (let i = 0; i < (values?.length ?? 0); i++)
    if (!(values![i]! <= most)) most = Number.isNaN(values![i]!) ? most : values![i]!;
  return most;
}

/** Duration of requests per window: the mean where rate and time are known, else the mean that was sent, else the tail. */
export function durationOf(
  all: readonly ServiceMeasure[] | undefined,
  side: "request" | "call",
): { readonly values: Float64Array; readonly what: "mean" | "tail" } | undefined {
  const time = valuesOf(all, `${side}-time`);
  const rate = valuesOf(all, `${side}-rate`);
  if (time !== undefined && rate !== undefined)
    return { values: time.map((value, i) => (rate[i]! > 0 ? value / rate[i]! : Number.NaN)), what: "mean" };
  const mean = valuesOf(all, `${side}-mean`);
  if (mean !== undefined) return { values: mean, what: "mean" };
  const tail = valuesOf(all, `${side}-tail`);
  return tail === undefined ? undefined : { values: tail, what: "tail" };
}
