import { counterRate, gaugeSignal } from "../../analysis/counter-rates.ts";
import { distributionSeries } from "../../analysis/distribution-series.ts";
import { indexSeries, pointsOf, type SeriesIndex, spacingNs } from "../../analysis/metric-series.ts";
import { type Grid, onGrid, type Signal, SignalBuilder } from "../../analysis/signal.ts";
import { attributeText } from "../../model/attribute-table.ts";
import { MetricKind, type MetricTable, Temporality } from "../../model/metric-table.ts";
import type { Measure } from "../semantic-measures.ts";
import { type Combine, DATABASE_STATISTICS } from "../semantic-metric-rules.ts";
import { type Meaning, meaningOf, parseName } from "../semantic-metrics.ts";
import { edgeEnds, type EdgeEnds, type Entity, entityOf, programOf } from "./entities.ts";
import { heapFlagOf, type HeapFlag } from "./heap-flags.ts";

/** One measure of one instance over the windows of the grid. */
export interface MeasureSeries extends Entity {
  readonly measure: Measure;
  /** the pool, device, table or queue; "" where the measure has none */
  readonly resource: string;
  readonly ends?: EdgeEnds;
  readonly combine: Combine;
  /** per window, NaN where not known */
  readonly values: Float64Array;
  /** names of the metrics that it was made of */
  readonly metrics: readonly string[];
}

/** What the metrics say in the terms of the diagnosis. */
export interface Measures {
  readonly baseUnixNs: bigint;
  readonly grid: Grid;
  readonly series: readonly MeasureSeries[];
  /** by service: programs that its processes run (`process.executable.name`, without its folder) */
  readonly programs: ReadonlyMap<string, ReadonlySet<string>>;
  /** by service: TCP ports on which its processes listen (`longpole.process.ports`) */
  readonly ports: ReadonlyMap<string, ReadonlySet<number>>;
  /** by service: the heap's limit by the command lines of its processes; none where these differ */
  readonly heapFlags: ReadonlyMap<string, HeapFlag>;
  /** by host.name: processors of which times were counted one by one */
  readonly processors: ReadonlyMap<string, ReadonlySet<number>>;
  /** all points, and those of metrics that nothing asks for or that came twice; databases' own statistics are asked for (src/engine/database) */
  readonly points: number;
  readonly pointsUnused: number;
  readonly warnings: readonly string[];
}

/** Longer recordings get wider windows. */
const MAX_WINDOWS = 2000;
const TAIL = 0.95;
/** Measures of which several metrics of one instance are parts (received and sent), not names for the same. */
const PARTS: ReadonlySet<Measure> = new Set<Measure>(["network-bytes", "network-errors", "disk-bytes", "system-calls"]);
/** Measures that are per second: a plain number that only grows is a counter of them. */
const RATES: ReadonlySet<Measure> = new Set<Measure>([
  "cpu-used",
  "host-cpu-busy",
  "host-cpu-idle",
  "throttled-time",
  "throttled-periods",
  "quota-periods",
  "gc-time",
  "event-loop-active",
  "event-loop-idle",
  "disk-busy",
  "disk-bytes",
  "disk-reads",
  "network-bytes",
  "network-errors",
  "db-scans",
  "request-rate",
  "request-time",
  "request-failed",
  "call-rate",
  "call-time",
  "edge-rate",
  "edge-failed",
  "pool-timeouts",
  "host-listen-overflows",
  "oom-kills",
  "work-done",
  "db-buffer-hits",
  "db-buffer-reads",
  "db-checkpoints-timed",
  "db-checkpoints-requested",
  "db-temp-files",
  "db-temp-bytes",
]);

/** Reads all series of the table into measures on common windows. Never throws for odd data; what is odd is a warning. */
export function readMeasures(table: MetricTable): Measures {
  const index = indexSeries(table);
  const { readings, elsewhere } = meaningfulSeries(table, index);
  const grid = gridOf(table, readings);
  const warnings: string[] = [];
  const into = new MeasureCollector(grid);
  let used = elsewhere;
  let faults = 0;
  for (const reading of readings) {
    used += reading.rows.length;
    const bad = addReading(table, reading, grid, into, warnings);
    faults += bad;
    const isUnknown = (bad > 0 && bad === reading.rows.length) || fallsOften(table, reading);
    if (isUnknown && reading.meaning.combine === "sum") into.addUnknown(reading);
  }
  warnings.push(...into.unknown());
  if (index.duplicates > 0) warnings.push(`${index.duplicates} points of metrics came twice for one time`);
  if (faults > 0) warnings.push(`${faults} points of metrics are negative or no numbers, and are left out`);
  return {
    baseUnixNs: table.baseUnixNs,
    grid,
    series: into.finish(),
    programs: byService(readings, ({ program }) => (program === "" ? [] : [program])),
    ports: byService(readings, ({ ports }) =>
      ports
        .split(",")
        .map(Number)
        .filter((port) => port > 0),
    ),
    heapFlags: heapFlagsOf(readings),
    processors: processorsOf(readings),
    points: table.points.rowCount,
    pointsUnused: table.points.rowCount - used,
    warnings,
  };
}

interface Reading {
  readonly series: number;
  readonly rows: Int32Array;
  readonly name: string;
  readonly meaning: Meaning;
  readonly entity: Entity;
  readonly ends: EdgeEnds | undefined;
  readonly resource: string;
  readonly program: string;
  /** "5432,9187"; "" where it does not say */
  readonly ports: string;
  readonly heapFlag: HeapFlag | undefined;
  /** of a time of one processor its number ("cpu3", "3"); NaN otherwise */
  readonly processor: number;
}

function meaningfulSeries(table: MetricTable, index: SeriesIndex): { readings: Reading[]; elsewhere: number } {
  let elsewhere = 0;
  const readings: Reading[] = [];
  const ofAgent: Reading[] = [];
  const resources = new Map<number, ReadonlyMap<string, string>>();
  const flags = new Map<number, HeapFlag | undefined>();
  const names = new Map<string, ReturnType<typeof parseName>>();
  for (let series = 0; series < table.seriesCount; series++) {
    const name = table.strings.get(table.name[series]!);
    const unit = table.strings.get(table.unit[series]!);
    let parsed = names.get(`${name} ${unit}`);
    if (parsed === undefined) names.set(`${name} ${unit}`, (parsed = parseName(name, unit)));
    const list = table.resource[series]!;
    let resource = resources.get(list);
    if (resource === undefined) {
      resources.set(list, (resource = textsOf(table, table.resources, list)));
      flags.set(list, heapFlagOf(resource));
    }
    const own = textsOf(table, table.labels, table.labelSet[series]!);
    const labels = new Map([...resource, ...own]);
    // The kubelet counts a pod's containers and their sum under one name: the sum has no container.
    if (labels.get("container") === "" || labels.get("container") === "POD") continue;
    let meaning = meaningOf(parsed, table.kind[series] as MetricKind, own);
    if (meaning === undefined) {
      if (DATABASE_STATISTICS.test(parsed.name)) elsewhere += pointsOf(index, series).length;
      continue;
    }
    const ends = edgeEnds(labels);
    if (ends !== undefined && meaning.measure === "request-rate") meaning = { ...meaning, measure: "edge-rate" };
    const isEdge = meaning.measure.startsWith("edge-");
    if (isEdge && ends === undefined) continue;
    const entity = entityOf(labels, meaning.measure.startsWith("db-"));
    // The PostgreSQL receiver makes each table a resource of its own.
    const named = meaning.measure.startsWith("db-") ? labels : own;
    const isOfAgent = table.strings.get(table.scope[series]!) === AGENT_SCOPE;
    (isOfAgent ? ofAgent : readings).push({
      series,
      rows: pointsOf(index, series),
      name,
      meaning,
      entity: ends === undefined ? entity : { service: isEdge ? ends.client : ends.server, instance: "", host: "" },
      ends: isEdge ? ends : undefined,
      program: programOf(labels),
      ports: labels.get("longpole.process.ports") ?? "",
      heapFlag: flags.get(list),
      processor: meaning.measure.startsWith("host-cpu-") ? processorOf(own) : Number.NaN,
      resource:
        meaning.measure === "work-done"
          ? name
          : resourceName(meaning.resource.map((key) => named.get(key)).find((text) => text !== undefined) ?? ""),
    });
  }
  return { readings: [...readings, ...notToldYet(ofAgent, readings)], elsewhere };
}

/** Scope of what the agent on a machine tells of other processes. */
const AGENT_SCOPE = "longpole.agent";

/** What a service tells of itself is not counted again because its machine's agent tells the same of its processes. */
function notToldYet(ofAgent: readonly Reading[], told: readonly Reading[]): Reading[] {
  const keyOf = ({ entity, meaning }: Reading): string => `${meaning.measure} ${entity.service}`;
  const known = new Set(told.filter(({ entity }) => entity.service !== "").map(keyOf));
  return ofAgent.filter((reading) => !known.has(keyOf(reading)));
}

/** What the readings of each service's processes tell. */
function byService<T>(readings: readonly Reading[], tell: (reading: Reading) => readonly T[]): Map<string, Set<T>> {
  const found = new Map<string, Set<T>>();
  for (const reading of readings) {
    const { service } = reading.entity;
    for (const one of service === "" ? [] : tell(reading))
      found.set(service, (found.get(service) ?? new Set()).add(one));
  }
  return found;
}

function heapFlagsOf(readings: readonly Reading[]): Map<string, HeapFlag> {
  const told = byService(readings, ({ heapFlag }) => (heapFlag === undefined ? [] : [JSON.stringify(heapFlag)]));
  return new Map(
    [...told].flatMap(([service, flags]) =>
      flags.size === 1 ? [[service, JSON.parse([...flags][0]!) as HeapFlag] as const] : [],
    ),
  );
}

const processorOf = (labels: ReadonlyMap<string, string>): number => {
  const text = ["cpu", "cpu.logical_number", "system.cpu.logical_number"].map((key) => labels.get(key)).find(Boolean);
  return Number(/^(?:cpu)?(\d+)$/.exec(text ?? "")?.[1] ?? Number.NaN);
};

function processorsOf(readings: readonly Reading[]): Map<string, Set<number>> {
  const processors = new Map<string, Set<number>>();
  for (const { entity, processor } of readings)
    if (!Number.isNaN(processor) && entity.host !== "")
      processors.set(entity.host, (processors.get(entity.host) ?? new Set()).add(processor));
  return processors;
}

function textsOf(table: MetricTable, lists: MetricTable["labels"], list: number): Map<string, string> {
  const texts = new Map<string, string>();
  for (let row = lists.listStart[list]!; row < lists.listStart[list + 1]!; row++) {
    texts.set(table.strings.get(lists.key[row]!).toLowerCase(), attributeText(lists, table.strings, row));
  }
  return texts;
}

/** Windows as long as the usual distance of points, from the first to the last. */
function gridOf(table: MetricTable, readings: readonly Reading[]): Grid {
  const spacings: number[] = [];
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const { rows } of readings) {
    if (rows.length === 0) continue;
    first = Math.min(first, table.points.timeOffsetNs[rows[0]!]!);
    last = Math.max(last, table.points.timeOffsetNs[rows.at(-1)!]!);
    const spacing = spacingNs(table, rows);
    if (!Number.isNaN(spacing)) spacings.push(spacing);
  }
  if (last < first) return { startNs: 0, stepNs: 1e9, count: 0 };
  spacings.sort((a, b) => a - b);
  const usual = Math.max(1e9, spacings[spacings.length >> 1] ?? 60e9);
  const stepNs = Math.max(usual, (last - first) / MAX_WINDOWS);
  // A point stands for the time before it: the window before the first belongs to it.
  return { startNs: first - stepNs, stepNs, count: Math.ceil((last - first) / stepNs) + 1 };
}

/** Metrics of a machine, as OpenTelemetry and Prometheus' node exporter name them. */
const MACHINES = /^(?:system\.|node_)/;

/** Adds one series in its measure, or in several; returns how many of its points are at fault. */
function addReading(
  table: MetricTable,
  reading: Reading,
  grid: Grid,
  into: MeasureCollector,
  warnings: string[],
): number {
  const { meaning, rows, series } = reading;
  const kind = table.kind[series] as MetricKind;
  if (rows.length === 0) return 0;
  if (kind >= MetricKind.histogram) return addDistribution(table, reading, grid, into);
  const temporality = table.temporality[series] as Temporality;
  const counts = kind === MetricKind.sum && (table.monotonic[series] === 1 || temporality === Temporality.delta);
  // A level of messages or rows is no work that was done.
  if (meaning.measure === "work-done" && !counts) return 0;
  const grows = kind === MetricKind.gauge && RATES.has(meaning.measure) && onlyGrows(table, rows);
  if ((counts || grows) && meaning.measure !== "cpu-share") {
    const from = MACHINES.test(table.strings.get(table.name[series]!)) ? "machine" : "process";
    const { rate, faults } = counterRate(table, rows, counts ? temporality : Temporality.cumulative, undefined, from);
    into.add(reading, meaning.measure, meaning.combine, scaled(onGrid(rate, grid), meaning.scale));
    return faults;
  }
  const values = onGrid(gaugeSignal(table, rows, grid.stepNs), grid);
  const { measure, scale } = shareOrCores(reading, values, warnings);
  if (meaning.inverted) for (let i = 0; i < values.length; i++) values[i] = 1 - values[i]!;
  into.add(reading, measure, measure === meaning.measure ? meaning.combine : "sum", scaled(values, scale));
  return rows.length - rows.reduce((sum, row) => sum + (Number.isFinite(table.points.value[row]!) ? 1 : 0), 0);
}

function addDistribution(table: MetricTable, reading: Reading, grid: Grid, into: MeasureCollector): number {
  const { meaning, rows, series } = reading;
  const { measure, scale } = meaning;
  const found = distributionSeries(table, series, rows, TAIL);
  const rate = onGrid(found.rate, grid);
  const total = scaled(onGrid(times(found.rate, found.mean), grid), scale);
  if (measure === "request-time" || measure === "call-time") {
    const side = measure === "request-time" ? "request" : "call";
    into.add(reading, `${side}-rate`, "sum", rate);
    into.add(reading, measure, "sum", total);
    into.add(reading, `${side}-tail`, "max", scaled(onGrid(found.quantile, grid), scale));
  } else if (measure === "connection-life") {
    into.add(reading, "connection-rate", "sum", rate);
    into.add(reading, measure, "mean", scaled(onGrid(found.mean, grid), scale));
  } else if (measure === "gc-time") into.add(reading, measure, "sum", total);
  else if (measure === "event-loop-delay")
    into.add(reading, measure, "max", scaled(onGrid(found.quantile, grid), scale));
  else into.add(reading, measure, "max", scaled(onGrid(found.mean, grid), scale));
  return found.faults;
}

/** rate * mean where both are known for the same stretch; nothing happened where the rate is 0. */
function times(rate: Signal, mean: Signal): Signal {
  const builder = new SignalBuilder();
  for (let i = 0, j = 0; i < rate.value.length; i++) {
    while (j < mean.value.length && mean.toNs[j]! < rate.toNs[i]!) j++;
    const value = mean.toNs[j] === rate.toNs[i] ? mean.value[j]! : rate.value[i] === 0 ? 0 : Number.NaN;
    builder.add(rate.fromNs[i]!, rate.toNs[i]!, rate.value[i]! * value);
  }
  return builder.finish();
}

/** Few points may grow by chance: five in order are 1 in 120. */
function onlyGrows(table: MetricTable, rows: Int32Array): boolean {
  const { value } = table.points;
  if (rows.length < 5) return false;
  for (let i = 1; i < rows.length; i++) if (!(value[rows[i]!]! >= value[rows[i - 1]!]!)) return false;
  return value[rows.at(-1)!]! > value[rows[0]!]!;
}

/** A process that starts anew as often is hardly seen at work. */
const OFTEN = 0.2;

/** Whether a counter falls so often that what was counted before each fall, and is lost, would be a good part of it. */
function fallsOften(table: MetricTable, { rows, series }: Reading): boolean {
  if (table.kind[series] !== MetricKind.sum || table.monotonic[series] !== 1 || rows.length < 5) return false;
  if (table.temporality[series] === Temporality.delta) return false;
  const { value, timeOffsetNs, startOffsetNs } = table.points;
  let falls = 0;
  for (let i = 1; i < rows.length; i++) {
    const [row, before] = [rows[i]!, rows[i - 1]!];
    // Of one whose start is told, all that it counts since then is known.
    if (value[row]! < value[before]! && !(startOffsetNs[row]! >= timeOffsetNs[before]!)) falls++;
  }
  return falls > OFTEN * (rows.length - 1);
}

/** A share beyond 1.5 is one of the two things that are sent under that name: per cent, or cores. */
function shareOrCores(
  { meaning, name, entity }: Reading,
  values: Float64Array,
  warnings: string[],
): { measure: Measure; scale: number } {
  const { measure, scale } = meaning;
  if (!measure.endsWith("-share") || meaning.inverted) return { measure, scale };
  const most = values.reduce((max, value) => (value * scale > max ? value * scale : max), 0);
  if (most <= 1.5) return { measure, scale };
  if (measure === "cpu-share" && most <= 8) return { measure: "cpu-used", scale };
  warnings.push(`${name} of ${entity.service}: ${most.toPrecision(3)} is no share, taken as per cent`);
  return { measure, scale: scale * 0.01 };
}

function scaled(values: Float64Array, scale: number): Float64Array {
  if (scale !== 1) for (let i = 0; i < values.length; i++) values[i]! *= scale;
  return values;
}

/**
 * Drivers name a pool "host:port/database", and spans name what it leads to by the database alone: of two names of one
 * pool, that of the spans.
 */
const resourceName = (name: string): string => /^[^/]*:\d+\/([^/]+)$/.exec(name)?.[1] ?? name;

const partOf = ({ name, entity, resource }: Pick<Reading, "name" | "entity" | "resource">, measure: Measure): string =>
  JSON.stringify([name, measure, entity.service, entity.instance, entity.host, resource]);

/** Puts series of one measure, instance and resource together. */
class MeasureCollector {
  private readonly held = new Map<string, { series: MeasureSeries; byMetric: Map<string, Float64Array> }>();
  private readonly spoilt = new Map<string, Reading>();
  private readonly grid: Grid;

  constructor(grid: Grid) {
    this.grid = grid;
  }

  add({ entity, ends, resource, name }: Reading, measure: Measure, combine: Combine, values: Float64Array): void {
    const key = JSON.stringify([measure, entity, ends, resource]);
    let held = this.held.get(key);
    if (held === undefined) {
      const all = new Float64Array(this.grid.count).fill(Number.NaN);
      const series = {
        ...entity,
        measure,
        resource,
        ...(ends === undefined ? {} : { ends }),
        combine,
        values: all,
        metrics: [],
      };
      this.held.set(key, (held = { series, byMetric: new Map() }));
    }
    const known = held.byMetric.get(name);
    if (known === undefined) held.byMetric.set(name, values);
    else merge(known, values, combine);
  }

  /** A part of a sum that has no number at any time: what the others add up to would be taken for the whole. */
  addUnknown(reading: Reading): void {
    this.spoilt.set(partOf(reading, reading.meaning.measure), reading);
  }

  unknown(): string[] {
    return [...this.spoilt.values()].map(({ name, entity }) => {
      const of = entity.service === "" ? entity.host : entity.service;
      return `${name} of ${of} is left out: a part of it has no number in any of its points, or falls as no counter does`;
    });
  }

  /** Several metrics for the same measure are names of the same thing, unless they are parts of it. */
  finish(): MeasureSeries[] {
    return [...this.held.values()].flatMap(({ series, byMetric }) => {
      const known = [...byMetric].filter(
        ([name]) => !this.spoilt.has(partOf({ name, entity: series, resource: series.resource }, series.measure)),
      );
      if (known.length === 0) return [];
      for (const [, values] of known) merge(series.values, values, PARTS.has(series.measure) ? "sum" : "max");
      return [{ ...series, metrics: known.map(([name]) => name) }];
    });
  }
}

/** Adds `values` to `into`, window by window; what is unknown changes nothing. */
export function merge(into: Float64Array, values: Float64Array, combine: Combine): void {
  for (let i = 0; i < into.length; i++) {
    const value = values[i]!;
    if (Number.isNaN(value)) continue;
    const held = into[i]!;
    if (Number.isNaN(held)) into[i] = value;
    else into[i] = combine === "sum" ? held + value : combine === "max" ? Math.max(held, value) : (held + value) / 2;
  }
}
