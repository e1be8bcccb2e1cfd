import { MetricKind, type MetricTable } from "../model/metric-table.ts";
import { Message } from "./protobuf-writer.ts";
import { KeyValueWriter } from "./write-otlp-attributes.ts";
import { idBytes } from "./write-otlp-traces.ts";

const POINTS_PER_MESSAGE = 16_384;

/** Field of Metric that holds the points of a kind. Exponential histograms are written with their bounds spelt out. */
const DATA_FIELD: Readonly<Record<MetricKind, number>> = {
  [MetricKind.gauge]: 5,
  [MetricKind.sum]: 7,
  [MetricKind.histogram]: 9,
  [MetricKind.exponentialHistogram]: 9,
  [MetricKind.summary]: 11,
};

/**
 * The points as OTLP protobuf, in messages that are one when they are put one behind the other. Decoded they are the
 * same points in the same order, but for exponential histograms, which come back as explicit ones with the same
 * bounds and an empty bucket above them. otlp-metrics-protobuf.ts has the layout of the messages.
 */
export function* writeOtlpMetrics(table: MetricTable): Generator<Uint8Array> {
  const writer = new MetricWriter(table);
  for (let from = 0; from < table.points.rowCount; from += POINTS_PER_MESSAGE) {
    yield writer.request(from, Math.min(table.points.rowCount, from + POINTS_PER_MESSAGE));
  }
}

class MetricWriter {
  private readonly table: MetricTable;
  private readonly keyValues: KeyValueWriter;
  private exemplar = 0;

  constructor(table: MetricTable) {
    this.table = table;
    this.keyValues = new KeyValueWriter(table.strings);
  }

  /** Points `[from, to)`, which follow those of the last call; a metric is said anew wherever the series changes. */
  request(from: number, to: number): Uint8Array {
    const { points } = this.table;
    const request = new Message();
    for (let row = from; row < to;) {
      const series = points.series[row]!;
      const data = new Message();
      for (; row < to && points.series[row] === series; row++) data.message(1, this.point(row, series));
      request.message(1, this.resourceMetrics(series, data));
    }
    return request.finish();
  }

  private resourceMetrics(series: number, data: Message): Message {
    const { table, keyValues } = this;
    const kind = table.kind[series]! as MetricKind;
    const isCounted = kind !== MetricKind.gauge && kind !== MetricKind.summary;
    if (isCounted) data.number(2, table.temporality[series]!);
    if (kind === MetricKind.sum) data.number(3, table.monotonic[series]!);
    const metric = new Message().bytes(1, keyValues.text(table.name[series]!));
    if (table.unit[series] !== 0) metric.bytes(3, keyValues.text(table.unit[series]!));
    const scopeMetrics = new Message();
    const scope = table.scope[series]!;
    if (scope !== 0) scopeMetrics.message(1, new Message().bytes(1, keyValues.text(scope)));
    scopeMetrics.message(2, metric.message(DATA_FIELD[kind], data));
    const resource = new Message();
    keyValues.addList(resource, 1, table.resources, table.resource[series]!);
    return new Message().message(1, resource).message(2, scopeMetrics);
  }

  private point(row: number, series: number): Message {
    const { table } = this;
    const { timeOffsetNs, startOffsetNs, value } = table.points;
    const kind = table.kind[series]!;
    const point = new Message();
    if (!Number.isNaN(startOffsetNs[row]!)) this.time(point, 2, startOffsetNs[row]!);
    this.time(point, 3, timeOffsetNs[row]!);
    if (kind <= MetricKind.sum) point.double(4, value[row]!);
    else this.distribution(point, row, kind);
    const isHistogram = kind === MetricKind.histogram || kind === MetricKind.exponentialHistogram;
    this.exemplars(point, row, isHistogram ? 8 : 5, kind !== MetricKind.summary);
    this.keyValues.addList(point, isHistogram ? 9 : 7, table.labels, table.labelSet[series]!);
    return point;
  }

  private distribution(point: Message, row: number, kind: number): void {
    const { points } = this.table;
    const { count, min, max, bucketStart, bucketBound, bucketValue } = points.distributions;
    const list = points.distribution[row]!;
    const [from, to] = [bucketStart[list]!, bucketStart[list + 1]!];
    const whole = (field: number, value: number): Message =>
      point.fixed64(field, Math.floor(value / 2 ** 32), value % 2 ** 32);
    whole(4, count[list]!);
    if (!Number.isNaN(points.value[row]!)) point.double(5, points.value[row]!);
    if (kind === MetricKind.summary) {
      for (let i = from; i < to; i++)
        point.message(6, new Message().double(1, bucketBound[i]!).double(2, bucketValue[i]!));
      return;
    }
    for (let i = from; i < to; i++) {
      whole(6, bucketValue[i]!);
      if (Number.isFinite(bucketBound[i]!)) point.double(7, bucketBound[i]!);
    }
    // There is one bucket more than there are bounds.
    if (to > from && Number.isFinite(bucketBound[to - 1]!)) whole(6, 0);
    if (!Number.isNaN(min[list]!)) point.double(11, min[list]!);
    if (!Number.isNaN(max[list]!)) point.double(12, max[list]!);
  }

  private exemplars(point: Message, row: number, field: number, isWritten: boolean): void {
    const { exemplars } = this.table;
    for (; this.exemplar < exemplars.rowCount && exemplars.point[this.exemplar]! <= row; this.exemplar++) {
      if (!isWritten) continue;
      const at = this.exemplar;
      const message = new Message();
      if (!Number.isNaN(exemplars.timeOffsetNs[at]!)) this.time(message, 2, exemplars.timeOffsetNs[at]!);
      message.double(3, exemplars.value[at]!).bytes(4, idBytes(exemplars.spanId, 2 * at, 2));
      point.message(field, message.bytes(5, idBytes(exemplars.traceId, 4 * at, 4)));
    }
  }

  private time(message: Message, field: number, offsetNs: number): void {
    const ns = this.table.baseUnixNs + BigInt(offsetNs);
    message.fixed64(field, Number(BigInt.asUintN(64, ns) >> 32n), Number(ns & 0xffff_ffffn));
  }
}
