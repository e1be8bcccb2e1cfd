import type { MetricTable } from "../../model/metric-table.ts";
import { type Arrays, NativeWriter } from "./native-writer.ts";
import { ListTexts } from "./series-keys.ts";

/** Columns of the tables, in the order in which they are sent. */
export const SERIES_COLUMNS: readonly string[] = [
  "id",
  "name",
  "service",
  "unit",
  "kind",
  "temporality",
  "monotonic",
  "scope",
  "resource",
  "labels",
  "seen",
];
export const SAMPLE_COLUMNS: readonly string[] = ["series", "time", "since", "value"];
export const DISTRIBUTION_COLUMNS: readonly string[] = [
  ...SAMPLE_COLUMNS,
  "count",
  "least",
  "greatest",
  "bounds",
  "counts",
];
export const EXEMPLAR_COLUMNS: readonly string[] = ["series", "time", "measured", "value", "trace_id", "span_id"];

/** The series `rows` as a block, `id` by series; `seenOffsetNs` is how long they are needed, after the table's base. */
export function seriesBlock(
  table: MetricTable,
  id: BigUint64Array,
  rows: Int32Array,
  seenOffsetNs: number,
): Uint8Array {
  const resources = new ListTexts(table.resources, table.strings);
  const labels = new ListTexts(table.labels, table.strings);
  const services = rows.map((row) =>
    table.strings.intern(resources.service(table.resource[row]!) ?? "unknown_service"),
  );
  const texts = (lists: ListTexts, column: Int32Array): Buffer[] =>
    Array.from(rows, (row) => Buffer.from(lists.text(column[row]!)));
  // The pool is complete from here on.
  const writer = new NativeWriter(SERIES_COLUMNS.length, rows.length, table.strings);
  writer.unsigned64("id", id, rows);
  writer.dictionary("name", rows, table.name);
  writer.dictionary("service", services);
  writer.dictionary("unit", rows, table.unit);
  for (const column of ["kind", "temporality", "monotonic"] as const)
    writer.bytesColumn(
      column,
      Uint8Array.from(rows, (row) => table[column][row]!),
    );
  writer.dictionary("scope", rows, table.scope);
  writer.rowTexts("resource", texts(resources, table.resource));
  writer.rowTexts("labels", texts(labels, table.labelSet));
  writer.times("seen", table.baseUnixNs, new Float64Array(rows.length).fill(seenOffsetNs));
  return writer.finish();
}

/** The points `rows`, of gauges and sums, as a block. Writes to `memory` where that is large enough. */
export function sampleBlock(table: MetricTable, id: BigUint64Array, rows: Int32Array, memory?: Uint8Array): Uint8Array {
  const writer = new NativeWriter(SAMPLE_COLUMNS.length, rows.length, table.strings, memory);
  writePoints(writer, table, id, rows);
  return writer.finish();
}

/** The points `rows`, of histograms and summaries, as a block. */
export function distributionBlock(table: MetricTable, id: BigUint64Array, rows: Int32Array): Uint8Array {
  const { distribution, distributions } = table.points;
  const writer = new NativeWriter(DISTRIBUTION_COLUMNS.length, rows.length, table.strings);
  writePoints(writer, table, id, rows);
  const lists = rows.map((row) => distribution[row]!);
  writer.doubles("count", picked(distributions.count, lists));
  writer.doubles("least", picked(distributions.min, lists));
  writer.doubles("greatest", picked(distributions.max, lists));
  writer.doubleArrays("bounds", bucketArrays(table, rows, distributions.bucketBound));
  writer.doubleArrays("counts", bucketArrays(table, rows, distributions.bucketValue));
  return writer.finish();
}

function writePoints(writer: NativeWriter, table: MetricTable, id: BigUint64Array, rows: Int32Array): void {
  const { series, timeOffsetNs, startOffsetNs, value } = table.points;
  writer.unsigned64("series", id, rows.length === series.length ? series : pickedNumbers(series, rows));
  writer.times("time", table.baseUnixNs, picked(timeOffsetNs, rows));
  writer.times("since", table.baseUnixNs, picked(startOffsetNs, rows));
  writer.doubles("value", picked(value, rows));
}

/** Loops, as a callback per row costs more than all the rest; and where all rows are wanted, the column itself. */
function picked(column: Float64Array, rows: Int32Array): Float64Array {
  if (rows.length === column.length) return column;
  const out = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) out[i] = column[rows[i]!]!;
  return out;
}

function pickedNumbers(column: Int32Array, rows: Int32Array): Int32Array {
  const out = new Int32Array(rows.length);
  for (let i = 0; i < rows.length; i++) out[i] = column[rows[i]!]!;
  return out;
}

function bucketArrays({ points }: MetricTable, rows: Int32Array, column: Float64Array): Arrays<Float64Array> {
  const { distribution, distributions } = points;
  const ends = new Int32Array(rows.length);
  const items: number[] = [];
  rows.forEach((row, i) => {
    const list = distribution[row]!;
    for (let at = distributions.bucketStart[list]!; at < distributions.bucketStart[list + 1]!; at++)
      items.push(column[at]!);
    ends[i] = items.length;
  });
  return { ends, items: Float64Array.from(items), count: items.length };
}

export function exemplarBlock(table: MetricTable, id: BigUint64Array): Uint8Array {
  const { points, exemplars } = table;
  const writer = new NativeWriter(EXEMPLAR_COLUMNS.length, exemplars.rowCount, table.strings);
  writer.unsigned64("series", id, pickedNumbers(points.series, exemplars.point));
  writer.times(
    "time",
    table.baseUnixNs,
    Float64Array.from(exemplars.point, (point) => points.timeOffsetNs[point]!),
  );
  writer.times("measured", table.baseUnixNs, exemplars.timeOffsetNs);
  writer.doubles("value", exemplars.value);
  writer.ids("trace_id", exemplars.traceId, 4);
  writer.ids("span_id", exemplars.spanId, 2);
  return writer.finish();
}
