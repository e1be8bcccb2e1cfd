import { indexSeries, pointsOf } from "../../analysis/metric-series.ts";
import { attributeText } from "../../model/attribute-table.ts";
import { MetricKind, type MetricTable, Temporality } from "../../model/metric-table.ts";
import { parseName } from "../semantic-metrics.ts";

/** One series of a database's statistics. */
export interface MetricEntry {
  /** behind "postgresql_", words by "_": "statement_calls" */
  readonly name: string;
  /** attributes of the resource and the series, by key with "_" for "." */
  readonly labels: ReadonlyMap<string, string>;
  /**
   * What was counted within the window: the sum of deltas, or how far a total rose, from zero where it fell. NaN of gauges,
   * and of totals of which there is one point.
   */
  readonly added: number;
  /** of a total with one point: what it counts since its reset */
  readonly sinceReset: number;
  readonly first: number;
  readonly last: number;
  readonly largest: number;
  /** all points, in their order */
  readonly values: Float64Array;
  /** nanoseconds after the table's base; of deltas the first is where the first of them begins */
  readonly fromNs: number;
  readonly toNs: number;
}

const PREFIX = "postgresql_";

/** All series of PostgreSQL's statistics, as its collector and the Collector's receiver name them. */
export function* postgresEntries(table: MetricTable): Generator<MetricEntry> {
  const index = indexSeries(table);
  const names = new Map<string, string>();
  for (let series = 0; series < table.seriesCount; series++) {
    const raw = table.strings.get(table.name[series]!);
    let name = names.get(raw);
    if (name === undefined) names.set(raw, (name = parseName(raw, "").name));
    if (!name.startsWith(PREFIX) || table.kind[series]! >= MetricKind.histogram) continue;
    const rows = pointsOf(index, series).filter((row) => Number.isFinite(table.points.value[row]!));
    if (rows.length > 0) yield entryOf(table, series, name.slice(PREFIX.length), rows);
  }
}

function entryOf(table: MetricTable, series: number, name: string, rows: Int32Array): MetricEntry {
  const { value, timeOffsetNs, startOffsetNs } = table.points;
  const values = Float64Array.from(rows, (row) => value[row]!);
  const isTotal = table.kind[series] === MetricKind.sum && table.monotonic[series] === 1;
  const isDelta = table.temporality[series] === Temporality.delta;
  const start = startOffsetNs[rows[0]!]!;
  return {
    name,
    labels: labelsOf(table, series),
    added: isDelta
      ? values.reduce((sum, one) => sum + one, 0)
      : isTotal && values.length > 1
        ? risen(values)
        : Number.NaN,
    sinceReset: isTotal && !isDelta && values.length === 1 ? values[0]! : Number.NaN,
    values,
    first: values[0]!,
    last: values.at(-1)!,
    largest: values.reduce((most, one) => Math.max(most, one), Number.NEGATIVE_INFINITY),
    fromNs: isDelta && start < timeOffsetNs[rows[0]!]! ? start : timeOffsetNs[rows[0]!]!,
    toNs: timeOffsetNs[rows.at(-1)!]!,
  };
}

function risen(values: Float64Array): number {
  let sum = 0;
  for (let i = 1; i < values.length; i++) {
    const [before, now] = [values[i - 1]!, values[i]!];
    sum += now >= before ? now - before : now;
  }
  return sum;
}

function labelsOf(table: MetricTable, series: number): Map<string, string> {
  const labels = new Map<string, string>();
  for (const [lists, list] of [
    [table.resources, table.resource[series]!],
    [table.labels, table.labelSet[series]!],
  ] as const)
    for (let row = lists.listStart[list]!; row < lists.listStart[list + 1]!; row++)
      labels.set(
        table.strings.get(lists.key[row]!).toLowerCase().replaceAll(".", "_"),
        attributeText(lists, table.strings, row),
      );
  return labels;
}
