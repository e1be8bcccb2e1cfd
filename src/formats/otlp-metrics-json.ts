import type { Intake } from "../model/intake.ts";
import { MetricKind, Temporality } from "../model/metric-table.ts";
import type { Instrument, MetricTableBuilder } from "../model/metric-table-builder.ts";
import { readBase64Id, readHexId } from "./hex-ids.ts";
import { camelAndSnake, JsonKeys, UNKNOWN_KEY } from "./json-keys.ts";
import { JsonPointWriter } from "./json-point-writer.ts";
import { END_OF_OBJECT, JsonKind, type JsonReader } from "./json-reader.ts";
import { OtlpJsonAttributes } from "./otlp-json-attributes.ts";
import { PointBuckets } from "./point-buckets.ts";

/**
 * Decodes one ExportMetricsServiceRequest or MetricsData document in OTLP's JSON
 * encoding, appending its points to `into`.
 *
 * bytes: the document, its first byte being byte `byteBase` of `file` after decompression.
 * Fields may come in any order and in camelCase or snake_case; enums as numbers or
 * names; 64-bit numbers bare or as strings; NaN and infinities as strings. A point
 * without time or value, or with a field of the wrong type, is rejected with a reason,
 * counted in `intake.points`. Throws InputError where the bytes are not JSON or not
 * this document; the points before that stay.
 */
export function decodeOtlpMetricsJson(
  bytes: Uint8Array,
  into: MetricTableBuilder,
  intake: Intake,
  file: string,
  byteBase: number,
): void {
  new OtlpMetricJsonDecoder(new JsonPointWriter(bytes, into, intake, file, byteBase)).document();
}

const Key = {
  resourceMetrics: 0,
  resource: 1,
  scopeMetrics: 2,
  /** scopeMetrics before 2022 */
  instrumentationLibraryMetrics: 3,
  scope: 4,
  /** scope before 2022 */
  instrumentationLibrary: 5,
  metrics: 6,
  name: 7,
  unit: 8,
  gauge: 9,
  sum: 10,
  histogram: 11,
  exponentialHistogram: 12,
  summary: 13,
  dataPoints: 14,
  aggregationTemporality: 15,
  isMonotonic: 16,
  attributes: 17,
  startTimeUnixNano: 18,
  timeUnixNano: 19,
  asDouble: 20,
  asInt: 21,
  exemplars: 22,
  flags: 23,
  count: 24,
  bucketCounts: 25,
  explicitBounds: 26,
  min: 27,
  max: 28,
  scale: 29,
  zeroCount: 30,
  positive: 31,
  negative: 32,
  zeroThreshold: 33,
  offset: 34,
  quantileValues: 35,
  quantile: 36,
  value: 37,
  traceId: 38,
  spanId: 39,
} as const;
const KEYS = new JsonKeys(camelAndSnake(Key));
const TEMPORALITY_NAMES = new JsonKeys(
  ["UNSPECIFIED", "DELTA", "CUMULATIVE"].map((name, i) => [`AGGREGATION_TEMPORALITY_${name}`, i]),
);
const KIND_OF_KEY: Readonly<Record<number, MetricKind>> = {
  [Key.gauge]: MetricKind.gauge,
  [Key.sum]: MetricKind.sum,
  [Key.histogram]: MetricKind.histogram,
  [Key.exponentialHistogram]: MetricKind.exponentialHistogram,
  [Key.summary]: MetricKind.summary,
};

/** Context of the attributes of a resource; points have the context of their metric's name. */
const RESOURCE_CONTEXT = -1;
const NO_RECORDED_VALUE = 1;

/** Points whose resource or scope may still come. */
interface Pending {
  readonly from: number;
  readonly to: number;
  scope: number;
  readonly instrument: Omit<Instrument, "resource" | "scope">;
}

class OtlpMetricJsonDecoder {
  private readonly writer: JsonPointWriter;
  private readonly reader: JsonReader;
  private readonly into: MetricTableBuilder;
  private readonly attributes: OtlpJsonAttributes;
  private pending: Pending[] = [];
  private readonly ids = new Uint32Array(6);
  private readonly words = new Uint32Array(2);
  private readonly buckets = new PointBuckets();

  constructor(writer: JsonPointWriter) {
    this.writer = writer;
    this.reader = writer.reader;
    this.into = writer.into;
    this.attributes = new OtlpJsonAttributes(writer);
  }

  document(): void {
    const { reader, writer } = this;
    try {
      reader.enterObject();
      for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
        if (key !== Key.resourceMetrics) reader.skipValue();
        else if (writer.arrayHere()) while (reader.nextElement()) this.resourceMetrics();
      }
      reader.expectEnd();
    } catch (error) {
      writer.abandon(error);
      throw error;
    }
  }

  /** The resource may stand behind its metrics: they get theirs at the end, also of a broken document. */
  private resourceMetrics(): void {
    const { reader, writer, into } = this;
    if (!writer.objectHere()) return;
    let resource = -1;
    try {
      for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
        if (key === Key.resource) resource = this.resource();
        else if (key !== Key.scopeMetrics && key !== Key.instrumentationLibraryMetrics) reader.skipValue();
        else if (writer.arrayHere()) while (reader.nextElement()) this.scopeMetrics();
      }
    } finally {
      if (resource < 0) {
        into.resources.clear();
        resource = into.resources.close();
      }
      for (const { from, to, scope, instrument } of this.pending)
        into.assign(from, to, { ...instrument, resource, scope });
      this.pending = [];
    }
  }

  private resource(): number {
    const { reader, into } = this;
    into.resources.clear();
    if (!this.writer.objectHere()) return -1;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.attributes) this.attributes.readList(into.resources, RESOURCE_CONTEXT);
      else reader.skipValue();
    }
    return into.resources.close();
  }

  private scopeMetrics(): void {
    const { reader, writer } = this;
    if (!writer.objectHere()) return;
    const first = this.pending.length;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.scope || key === Key.instrumentationLibrary) {
        const scope = this.scopeName();
        for (const pending of this.pending.slice(first)) pending.scope = scope;
        this.scope = scope;
      } else if (key !== Key.metrics) reader.skipValue();
      else if (writer.arrayHere()) while (reader.nextElement()) this.metric();
    }
    this.scope = 0;
  }

  private scope = 0;

  private scopeName(): number {
    const { reader } = this;
    let name = 0;
    if (!this.writer.objectHere()) return name;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.name) name = this.writer.stringId();
      else reader.skipValue();
    }
    return name;
  }

  private metric(): void {
    const { reader, writer, into } = this;
    if (!writer.objectHere()) return;
    let name = 0;
    let unit = 0;
    const data: { kind: MetricKind; from: number; to: number; temporality: Temporality; monotonic: boolean }[] = [];
    let open: MetricKind | undefined;
    let from = into.open;
    try {
      for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
        const kind = KIND_OF_KEY[key];
        if (key === Key.name) name = writer.stringId();
        else if (key === Key.unit) unit = writer.stringId();
        else if (kind === undefined) reader.skipValue();
        else {
          [open, from] = [kind, into.open];
          const said = this.data(kind, name);
          data.push({ kind, from, to: into.open, ...said });
          open = undefined;
        }
      }
    } finally {
      if (open !== undefined)
        data.push({ kind: open, from, to: into.open, temporality: Temporality.unspecified, monotonic: false });
      for (const { kind, from: first, to, temporality, monotonic } of data) {
        const instrument = { name, unit, kind, temporality, monotonic };
        this.pending.push({ from: first, to, scope: this.scope, instrument });
      }
    }
  }

  private data(kind: MetricKind, name: number): { temporality: Temporality; monotonic: boolean } {
    const { reader, writer } = this;
    let temporality: Temporality = Temporality.unspecified;
    let monotonic = false;
    if (!writer.objectHere()) return { temporality, monotonic };
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.dataPoints) {
        if (writer.arrayHere()) while (reader.nextElement()) this.dataPoint(kind, name);
      } else if (key === Key.aggregationTemporality) temporality = this.temporality();
      else if (key === Key.isMonotonic) monotonic = writer.boolean() ?? false;
      else reader.skipValue();
    }
    return { temporality, monotonic };
  }

  private temporality(): Temporality {
    const { reader, writer } = this;
    let number = 0;
    if (reader.kind() === JsonKind.string) {
      reader.readString();
      const named = TEMPORALITY_NAMES.find(reader.text, reader.textStart, reader.textEnd);
      number = named === UNKNOWN_KEY ? 0 : named;
    } else number = writer.double() ?? 0;
    return number === 1 ? Temporality.delta : number === 2 ? Temporality.cumulative : Temporality.unspecified;
  }

  private dataPoint(kind: MetricKind, name: number): void {
    const { reader, writer, into } = this;
    if (!writer.beginPoint()) return;
    const { point } = into;
    let hasValue = false;
    let flags = 0;
    const { buckets } = this;
    const { exponential } = buckets;
    buckets.clear(kind);
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      switch (key) {
        case Key.attributes:
          this.attributes.readList(into.labels, name);
          break;
        case Key.timeUnixNano:
          if (writer.time(this.words, 0, 0)) [point.timeHigh, point.timeLow] = [this.words[0]!, this.words[1]!];
          break;
        case Key.startTimeUnixNano:
          if (writer.time(this.words, 0, 0)) [point.startHigh, point.startLow] = [this.words[0]!, this.words[1]!];
          break;
        case Key.asDouble:
        case Key.asInt:
        case Key.sum: {
          const value = writer.double();
          if (value !== undefined) {
            point.value = value;
            hasValue = true;
          }
          break;
        }
        case Key.count:
          point.count = this.count();
          break;
        case Key.min:
          point.min = writer.double() ?? Number.NaN;
          break;
        case Key.max:
          point.max = writer.double() ?? Number.NaN;
          break;
        case Key.flags:
          flags = writer.double() ?? 0;
          break;
        case Key.exemplars:
          if (writer.arrayHere()) while (reader.nextElement()) this.exemplar();
          break;
        case Key.bucketCounts:
          this.numbers(buckets.counts);
          break;
        case Key.explicitBounds:
          this.numbers(buckets.bounds);
          break;
        case Key.quantileValues:
          if (writer.arrayHere()) while (reader.nextElement()) this.quantile();
          break;
        case Key.scale:
          exponential.scale = writer.double() ?? 0;
          break;
        case Key.zeroCount:
          exponential.zeroCount = this.count();
          break;
        case Key.zeroThreshold:
          exponential.zeroThreshold = writer.double() ?? 0;
          break;
        case Key.positive:
          exponential.positiveOffset = this.bucketList(exponential.positive);
          break;
        case Key.negative:
          exponential.negativeOffset = this.bucketList(exponential.negative);
          break;
        default:
          reader.skipValue();
      }
    }
    this.closePoint(kind, hasValue, (flags & NO_RECORDED_VALUE) !== 0);
  }

  private closePoint(kind: MetricKind, hasValue: boolean, notRecorded: boolean): void {
    const { writer, into } = this;
    if (notRecorded) into.point.value = Number.NaN;
    else if (!hasValue && kind <= MetricKind.sum) writer.fault("value-missing", -1, "neither asDouble nor asInt");
    if (kind >= MetricKind.histogram) {
      const problem = this.buckets.addTo(into, kind);
      if (problem !== "") writer.fault("point-malformed", -1, problem);
    }
    writer.endPoint(kind);
  }

  /** A number of values, which is never below zero. */
  private count(): number {
    const { reader, writer } = this;
    reader.kind();
    const at = reader.position;
    const count = writer.double() ?? 0;
    if (!(count >= 0)) writer.fault("point-malformed", at, `a count of ${count}`);
    return count;
  }

  private numbers(into: number[]): void {
    if (!this.writer.arrayHere()) return;
    while (this.reader.nextElement()) into.push(this.writer.double() ?? 0);
  }

  /** Reads the buckets of one sign into `counts`; returns their offset. */
  private bucketList(counts: number[]): number {
    const { reader, writer } = this;
    let offset = 0;
    if (!writer.objectHere()) return offset;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.offset) offset = writer.double() ?? 0;
      else if (key === Key.bucketCounts) this.numbers(counts);
      else reader.skipValue();
    }
    return offset;
  }

  private quantile(): void {
    const { reader, writer } = this;
    let quantile = 0;
    let value = 0;
    if (!writer.objectHere()) return;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.quantile) quantile = writer.double() ?? 0;
      else if (key === Key.value) value = writer.double() ?? 0;
      else reader.skipValue();
    }
    this.into.addBucket(quantile, value);
  }

  private exemplar(): void {
    const { reader, writer, ids } = this;
    let value = Number.NaN;
    this.words.fill(0);
    ids.fill(0);
    if (!writer.objectHere()) return;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.timeUnixNano) writer.time(this.words, 0, 0);
      else if (key === Key.asDouble || key === Key.asInt) value = writer.double() ?? Number.NaN;
      else if (key === Key.traceId) this.id(0, 4);
      else if (key === Key.spanId) this.id(4, 2);
      else reader.skipValue();
    }
    if (ids[0] !== 0 || ids[1] !== 0 || ids[2] !== 0 || ids[3] !== 0)
      this.into.addExemplar(this.words[0]!, this.words[1]!, value, ids);
  }

  /** An id of an exemplar; one of another length is left zero. */
  private id(at: number, count: number): void {
    if (!this.writer.textHere()) return;
    const { text, textStart: start, textEnd: end } = this.reader;
    const isHex = end - start === 8 * count && readHexId(text, start, end, this.ids, at, count);
    if (!isHex && !readBase64Id(text, start, end, this.ids, at, count)) this.ids.fill(0, at, at + count);
  }
}
