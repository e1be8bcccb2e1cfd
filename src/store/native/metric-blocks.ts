import type { MetricTable } from "../../model/metric-table.ts";
import { AttributeType } from "../../model/attribute-table.ts";
import { attributeItems } from "./attribute-text.ts";
import { contentHash } from "./content-hash.ts";
import { type Arrays, NativeWriter } from "./native-writer.ts";

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

/** Series of a table as they are stored: with an id that the same series has in every table. */
export interface KeyedSeries {
  readonly id: BigUint64Array;
  /** string ids of the texts of resource and labels */
  readonly resource: Int32Array;
  readonly labels: Int32Array;
  readonly service: Int32Array;
}

/** Interns in the table's pool, which is complete after this. */
export function keyedSeries(table: MetricTable): KeyedSeries {
  const { strings, seriesCount } = table;
  const resources = listTexts(table, "resources");
  const labels = listTexts(table, "labels");
  const keyed: KeyedSeries = {
    id: new BigUint64Array(seriesCount),
    resource: table.resource.map((list) => resources.text[list]!),
    labels: table.labelSet.map((list) => labels.text[list]!),
    service: table.resource.map((list) => resources.service[list]!),
  };
  for (let series = 0; series < seriesCount; series++) {
    keyed.id[series] = contentHash(
      JSON.stringify([
        strings.get(table.name[series]!),
        strings.get(table.unit[series]!),
        table.kind[series],
        table.temporality[series],
        table.monotonic[series],
        strings.get(table.scope[series]!),
        strings.get(keyed.resource[series]!),
        strings.get(keyed.labels[series]!),
      ]),
    );
  }
  return keyed;
}

/** Texts of lists, their attributes by key: in the table they are by the numbers of the keys, which mean nothing elsewhere. */
function listTexts(table: MetricTable, which: "resources" | "labels"): { text: Int32Array; service: Int32Array } {
  const { strings } = table;
  const lists = table[which];
  const text = new Int32Array(lists.listCount);
  const service = new Int32Array(lists.listCount).fill(strings.intern("unknown_service"));
  for (let list = 0; list < lists.listCount; list++) {
    const items = attributeItems(lists, list, strings);
    const triples: (string | number)[][] = [];
    for (let i = 0; i < items.length; i += 3) triples.push(items.slice(i, i + 3));
    triples.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
    text[list] = strings.intern(JSON.stringify(triples.flat()));
    const named = triples.find(
      ([key, type, value]) => key === "service.name" && type === AttributeType.string && value !== "",
    );
    if (named !== undefined) service[list] = strings.intern(String(named[2]));
  }
  return { text, service };
}

/** The series `rows` as a block; `seenOffsetNs` is how long they are needed, after the table's base. */
export function seriesBlock(
  table: MetricTable,
  keyed: KeyedSeries,
  rows: Int32Array,
  seenOffsetNs: number,
): Uint8Array {
  const writer = new NativeWriter(SERIES_COLUMNS.length, rows.length, table.strings);
  const of = (column: Int32Array): Int32Array => rows.map((row) => column[row]!);
  const bytes = (column: Uint8Array): Uint8Array => Uint8Array.from(rows, (row) => column[row]!);
  writer.unsigned64(
    "id",
    BigUint64Array.from(rows, (row) => keyed.id[row]!),
  );
  writer.dictionary("name", of(table.name));
  writer.dictionary("service", of(keyed.service));
  writer.dictionary("unit", of(table.unit));
  writer.bytesColumn("kind", bytes(table.kind));
  writer.bytesColumn("temporality", bytes(table.temporality));
  writer.bytesColumn("monotonic", bytes(table.monotonic));
  writer.dictionary("scope", of(table.scope));
  writer.stringColumn("resource", of(keyed.resource));
  writer.stringColumn("labels", of(keyed.labels));
  writer.times("seen", table.baseUnixNs, new Float64Array(rows.length).fill(seenOffsetNs));
  return writer.finish();
}

/** The points `rows`, of gauges and sums, as a block. */
export function sampleBlock(table: MetricTable, { id }: KeyedSeries, rows: Int32Array): Uint8Array {
  const writer = new NativeWriter(SAMPLE_COLUMNS.length, rows.length, table.strings);
  writePoints(writer, table, id, rows);
  return writer.finish();
}

/** The points `rows`, of histograms and summaries, as a block. */
export function distributionBlock(table: MetricTable, { id }: KeyedSeries, rows: Int32Array): Uint8Array {
  const { distribution, distributions } = table.points;
  const writer = new NativeWriter(DISTRIBUTION_COLUMNS.length, rows.length, table.strings);
  writePoints(writer, table, id, rows);
  const of = (column: Float64Array): Float64Array => Float64Array.from(rows, (row) => column[distribution[row]!]!);
  writer.doubles("count", of(distributions.count));
  writer.doubles("least", of(distributions.min));
  writer.doubles("greatest", of(distributions.max));
  writer.doubleArrays("bounds", bucketArrays(table, rows, distributions.bucketBound));
  writer.doubleArrays("counts", bucketArrays(table, rows, distributions.bucketValue));
  return writer.finish();
}

function writePoints(writer: NativeWriter, table: MetricTable, id: BigUint64Array, rows: Int32Array): void {
  const { series, timeOffsetNs, startOffsetNs, value } = table.points;
  writer.unsigned64(
    "series",
    BigUint64Array.from(rows, (row) => id[series[row]!]!),
  );
  writer.times(
    "time",
    table.baseUnixNs,
    Float64Array.from(rows, (row) => timeOffsetNs[row]!),
  );
  writer.times(
    "since",
    table.baseUnixNs,
    Float64Array.from(rows, (row) => startOffsetNs[row]!),
  );
  writer.doubles(
    "value",
    Float64Array.from(rows, (row) => value[row]!),
  );
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

export function exemplarBlock(table: MetricTable, { id }: KeyedSeries): Uint8Array {
  const { points, exemplars } = table;
  const writer = new NativeWriter(EXEMPLAR_COLUMNS.length, exemplars.rowCount, table.strings);
  writer.unsigned64(
    "series",
    BigUint64Array.from(exemplars.point, (point) => id[points.series[point]!]!),
  );
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
