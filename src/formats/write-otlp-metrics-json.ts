import { MetricKind, type MetricTable } from "../model/metric-table.ts";
import { doubleText, hexOf, OtlpJsonValues, UnixNsTexts } from "./write-otlp-values.ts";

const POINTS_PER_LINE = 1000;

/**
 * The table as OTLP/JSON, an ExportMetricsServiceRequest on each line, in the order of its points. Exponential
 * histograms are spelt out in the table and are written as histograms with the same bounds.
 */
export function* otlpMetricLines(table: MetricTable): Generator<string> {
  const writer = new PointWriter(table);
  for (let from = 0; from < table.points.rowCount; from += POINTS_PER_LINE) {
    yield writer.line(from, Math.min(table.points.rowCount, from + POINTS_PER_LINE));
  }
}

class PointWriter {
  private readonly table: MetricTable;
  private readonly values: OtlpJsonValues;
  private readonly times: UnixNsTexts;
  private exemplar = 0;

  constructor(table: MetricTable) {
    this.table = table;
    this.values = new OtlpJsonValues(table.strings);
    this.times = new UnixNsTexts(table.baseUnixNs);
  }

  /** Points that follow one another and are of one metric share its head. */
  line(from: number, to: number): string {
    let text = '{"resourceMetrics":[';
    for (let row = from; row < to; row++) {
      const isNew = row === from || !this.sameMetric(row - 1, row);
      if (isNew) text += `${row > from ? "]}}]}]}," : ""}${this.head(this.table.points.series[row]!)}`;
      else text += ",";
      text += this.point(row);
    }
    return `${text}]}}]}]}]}\n`;
  }

  private sameMetric(a: number, b: number): boolean {
    const { table } = this;
    const [s, t] = [table.points.series[a]!, table.points.series[b]!];
    return (
      s === t ||
      [table.name, table.unit, table.kind, table.temporality, table.monotonic, table.resource, table.scope].every(
        (column) => column[s] === column[t],
      )
    );
  }

  private head(series: number): string {
    const { table, values } = this;
    const scope = table.scope[series]! === 0 ? "{}" : `{"name":${values.string(table.scope[series]!)}}`;
    const unit = table.unit[series]! === 0 ? "" : `,"unit":${values.string(table.unit[series]!)}`;
    const resource = values.attributes(table.resources, table.resource[series]!);
    const kind = table.kind[series]!;
    const isSum = kind === MetricKind.sum;
    const temporality = isSum || kind === MetricKind.histogram || kind === MetricKind.exponentialHistogram;
    const details =
      (temporality ? `"aggregationTemporality":${table.temporality[series]},` : "") +
      (isSum ? `"isMonotonic":${table.monotonic[series] === 1},` : "");
    return (
      `{"resource":{"attributes":${resource}},"scopeMetrics":[{"scope":${scope},"metrics":[` +
      `{"name":${values.string(table.name[series]!)}${unit},"${FIELD[kind]}":{${details}"dataPoints":[`
    );
  }

  private point(row: number): string {
    const { table, values, times } = this;
    const { points } = table;
    const series = points.series[row]!;
    let text = `{"attributes":${values.attributes(table.labels, table.labelSet[series]!)}`;
    if (!Number.isNaN(points.startOffsetNs[row]!))
      text += `,"startTimeUnixNano":"${times.at(points.startOffsetNs[row]!)}"`;
    text += `,"timeUnixNano":"${times.at(points.timeOffsetNs[row]!)}"`;
    const distribution = points.distribution[row]!;
    if (distribution < 0) text += `,"asDouble":${doubleText(points.value[row]!)}`;
    else text += this.distribution(row, distribution, table.kind[series]!);
    return `${text}${this.exemplars(row)}}`;
  }

  private distribution(row: number, distribution: number, kind: number): string {
    const { points } = this.table;
    const { count, min, max, bucketStart, bucketBound, bucketValue } = points.distributions;
    const [from, to] = [bucketStart[distribution]!, bucketStart[distribution + 1]!];
    let text = `,"count":"${count[distribution]}"`;
    if (!Number.isNaN(points.value[row]!)) text += `,"sum":${doubleText(points.value[row]!)}`;
    if (!Number.isNaN(min[distribution]!)) text += `,"min":${doubleText(min[distribution]!)}`;
    if (!Number.isNaN(max[distribution]!)) text += `,"max":${doubleText(max[distribution]!)}`;
    const bounds = [...bucketBound.subarray(from, to)];
    const held = [...bucketValue.subarray(from, to)];
    if (kind === MetricKind.summary) {
      const pairs = bounds.map((q, i) => `{"quantile":${doubleText(q)},"value":${doubleText(held[i]!)}}`);
      return `${text},"quantileValues":[${pairs.join()}]`;
    }
    if (held.length === 0) return text;
    // The last bucket of OTLP has no bound of its own.
    if (bounds.at(-1) === Number.POSITIVE_INFINITY) bounds.pop();
    else held.push(0);
    return `${text},"bucketCounts":[${held.map((n) => `"${n}"`).join()}],"explicitBounds":[${bounds.map(doubleText).join()}]`;
  }

  /** Those of the point; they are ascending by point, as are the calls. */
  private exemplars(row: number): string {
    const { exemplars } = this.table;
    const texts: string[] = [];
    while (this.exemplar < exemplars.rowCount && exemplars.point[this.exemplar]! < row) this.exemplar++;
    for (; this.exemplar < exemplars.rowCount && exemplars.point[this.exemplar] === row; this.exemplar++) {
      const i = this.exemplar;
      const at = exemplars.timeOffsetNs[i]!;
      const time = Number.isNaN(at) ? "" : `"timeUnixNano":"${this.times.at(at)}",`;
      const ids = `"traceId":"${hexOf(exemplars.traceId, 4 * i, 4)}","spanId":"${hexOf(exemplars.spanId, 2 * i, 2)}"`;
      texts.push(`{${time}"asDouble":${doubleText(exemplars.value[i]!)},${ids}}`);
    }
    return texts.length === 0 ? "" : `,"exemplars":[${texts.join()}]`;
  }
}

const FIELD: Readonly<Record<number, string>> = {
  [MetricKind.gauge]: "gauge",
  [MetricKind.sum]: "sum",
  [MetricKind.histogram]: "histogram",
  // Written with its bounds spelt out.
  [MetricKind.exponentialHistogram]: "histogram",
  [MetricKind.summary]: "summary",
};
