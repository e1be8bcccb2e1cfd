import { InputError, type Intake, type PointRejectReason } from "../model/intake.ts";
import { MetricKind, Temporality } from "../model/metric-table.ts";
import type { MetricTableBuilder } from "../model/metric-table-builder.ts";
import { readOtlpId } from "./otlp-ids.ts";
import { KeyValueReader } from "./otlp-key-values.ts";
import { OtlpResources } from "./otlp-resources.ts";
import { PointBuckets } from "./point-buckets.ts";
import { ProtobufReader } from "./protobuf-reader.ts";

/*
 * What is decoded, from opentelemetry-proto 1.x (ExportMetricsServiceRequest has the
 * layout of MetricsData). Fields that are not kept stand with a dash.
 *
 *   message MetricsData     { repeated ResourceMetrics resource_metrics = 1; }
 *   message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; - string schema_url = 3;
 *                             repeated ScopeMetrics instrumentation_library_metrics = 1000; // before 2022, same layout }
 *   message ScopeMetrics    { InstrumentationScope scope = 1; repeated Metric metrics = 2; - string schema_url = 3; }
 *   message Metric          { string name = 1; - string description = 2; string unit = 3; Gauge gauge = 5; Sum sum = 7;
 *                             Histogram histogram = 9; ExponentialHistogram exponential_histogram = 10; Summary summary = 11; }
 *   message Gauge           { repeated NumberDataPoint data_points = 1; }
 *   message Sum             { ... data_points = 1; AggregationTemporality aggregation_temporality = 2; bool is_monotonic = 3; }
 *   message Histogram       { repeated HistogramDataPoint data_points = 1; aggregation_temporality = 2; }
 *   message ExponentialHistogram { repeated ExponentialHistogramDataPoint data_points = 1; aggregation_temporality = 2; }
 *   message Summary         { repeated SummaryDataPoint data_points = 1; }
 *   all points              { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; }
 *   message NumberDataPoint { double as_double = 4; sfixed64 as_int = 6; Exemplar exemplars = 5; KeyValue attributes = 7; flags = 8; }
 *   message HistogramDataPoint { fixed64 count = 4; double sum = 5; fixed64 bucket_counts = 6; double explicit_bounds = 7;
 *                             Exemplar exemplars = 8; KeyValue attributes = 9; flags = 10; double min = 11; double max = 12; }
 *   message ExponentialHistogramDataPoint { KeyValue attributes = 1; fixed64 count = 4; double sum = 5; sint32 scale = 6;
 *                             fixed64 zero_count = 7; Buckets positive = 8; Buckets negative = 9; flags = 10;
 *                             Exemplar exemplars = 11; double min = 12; double max = 13; double zero_threshold = 14; }
 *   message Buckets         { sint32 offset = 1; repeated uint64 bucket_counts = 2; }
 *   message SummaryDataPoint { fixed64 count = 4; double sum = 5; ValueAtQuantile quantile_values = 6; KeyValue attributes = 7; flags = 8; }
 *   message ValueAtQuantile { double quantile = 1; double value = 2; }
 *   message Exemplar        { fixed64 time_unix_nano = 2; double as_double = 3; bytes span_id = 4; bytes trace_id = 5; sfixed64 as_int = 6; }
 */

/** Fields of Metric that hold data, and the kind they make. */
const KIND_OF_TAG: Readonly<Record<number, MetricKind>> = {
  [(5 << 3) | 2]: MetricKind.gauge,
  [(7 << 3) | 2]: MetricKind.sum,
  [(9 << 3) | 2]: MetricKind.histogram,
  [(10 << 3) | 2]: MetricKind.exponentialHistogram,
  [(11 << 3) | 2]: MetricKind.summary,
};

/** Tags of attributes, exemplars and flags by kind: each kind of point numbers them differently. */
const LAYOUT: Readonly<Record<MetricKind, { attribute: number; exemplar: number; flags: number }>> = {
  [MetricKind.gauge]: { attribute: 0x3a, exemplar: 0x2a, flags: 0x40 },
  [MetricKind.sum]: { attribute: 0x3a, exemplar: 0x2a, flags: 0x40 },
  [MetricKind.histogram]: { attribute: 0x4a, exemplar: 0x42, flags: 0x50 },
  [MetricKind.exponentialHistogram]: { attribute: 0x0a, exemplar: 0x5a, flags: 0x50 },
  [MetricKind.summary]: { attribute: 0x3a, exemplar: -1, flags: 0x40 },
};

/** DataPointFlags: the point says only that there is no value. */
const NO_RECORDED_VALUE = 1;
const LIBRARY_METRICS = (1000 << 3) | 2;

/**
 * Decodes requests of metrics of one file, appending their points to `into`.
 *
 * A point without time or value, or with buckets that contradict each other, is
 * rejected with a reason, counted in `intake.points`. Throws InputError where the bytes
 * are not protobuf; the points before that stay, the one it happened in is counted
 * as rejected.
 */
export class OtlpMetricDecoder {
  private readonly reader: ProtobufReader;
  private readonly into: MetricTableBuilder;
  private readonly intake: Intake;
  private readonly keyValues: KeyValueReader;
  private readonly resources: OtlpResources;
  private resource = 0;
  private scope = 0;

  /** Start of the point being decoded, -1 outside of one. */
  private pointAt = -1;
  private fault: { reason: PointRejectReason; found: string } | undefined;
  private hasValue = false;
  private flags = 0;
  private readonly buckets = new PointBuckets();
  private readonly ids = new Uint32Array(6);

  constructor(into: MetricTableBuilder, intake: Intake, file: string) {
    this.reader = new ProtobufReader(file);
    this.into = into;
    this.intake = intake;
    this.keyValues = new KeyValueReader(this.reader, into.strings, intake);
    const lists = into.resources;
    this.resources = new OtlpResources(this.reader, this.keyValues, lists, () => lists.close());
  }

  /** Decodes the request in `bytes[start, end)`; byte 0 of `bytes` is byte `byteBase` of the file. */
  request(bytes: Uint8Array, start: number, end: number, byteBase: number): void {
    this.reader.over(bytes, byteBase);
    this.keyValues.begin();
    try {
      this.reader.each(start, end, (tag, from, to) => {
        if (tag === 0x0a) this.resourceMetrics(from, to);
      });
    } catch (error) {
      this.into.resources.clear();
      if (this.pointAt >= 0) {
        const found = error instanceof InputError ? `found ${error.found} at byte ${error.byteOffset}` : String(error);
        this.reject("point-malformed", found);
      }
      throw error;
    }
  }

  /** As the reader's `each`, without a word about what is damaged: the same bytes are read again. */
  private peek(start: number, end: number, take: (tag: number, from: number, to: number) => void): void {
    const { reader } = this;
    try {
      for (let at = start; at < end;) {
        const tag = reader.tag(at, end);
        const behindTag = reader.at;
        at = reader.skip(tag, behindTag, end);
        let from = behindTag;
        if ((tag & 7) === 2) {
          reader.valueEnd(behindTag, end);
          from = reader.at;
        }
        take(tag, from, at);
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
  }

  private resourceMetrics(start: number, end: number): void {
    this.resource = this.resources.find(start, end);
    this.reader.each(start, end, (tag, from, to) => {
      if (tag === 0x12 || tag === LIBRARY_METRICS) this.scopeMetrics(from, to);
    });
  }

  private scopeMetrics(start: number, end: number): void {
    this.scope = 0;
    this.peek(start, end, (tag, from, to) => {
      if (tag === 0x0a) this.scope = this.nameIn(from, to);
    });
    this.reader.each(start, end, (tag, from, to) => {
      if (tag === 0x12) this.metric(from, to);
    });
  }

  /** The string in field 1. */
  private nameIn(start: number, end: number): number {
    let name = 0;
    this.peek(start, end, (tag, from, to) => {
      if (tag === 0x0a) name = this.keyValues.intern(from, to);
    });
    return name;
  }

  private metric(start: number, end: number): void {
    const { reader, into } = this;
    let name = 0;
    let unit = 0;
    this.peek(start, end, (tag, from, to) => {
      if (tag === 0x0a) name = this.keyValues.intern(from, to);
      else if (tag === 0x1a) unit = this.keyValues.intern(from, to);
    });
    reader.each(start, end, (tag, from, to) => {
      const kind = KIND_OF_TAG[tag];
      if (kind === undefined) return;
      let temporality: number = Temporality.unspecified;
      let monotonic = false;
      this.peek(from, to, (inner, at, innerEnd) => {
        if (inner === 0x10) temporality = reader.varint(at, innerEnd);
        else if (inner === 0x18) monotonic = reader.varint(at, innerEnd) !== 0;
      });
      const first = into.open;
      try {
        this.keyValues.useGroup(name);
        reader.each(from, to, (inner, at, innerEnd) => {
          if (inner === 0x0a) this.dataPoint(kind, name, at, innerEnd);
        });
      } finally {
        into.assign(first, into.open, {
          resource: this.resource,
          scope: this.scope,
          name,
          unit,
          kind,
          temporality: temporality === 1 || temporality === 2 ? temporality : Temporality.unspecified,
          monotonic,
        });
      }
    });
  }

  private dataPoint(kind: MetricKind, group: number, start: number, end: number): void {
    const { reader, into } = this;
    const { attribute, exemplar, flags } = LAYOUT[kind];
    this.beginPoint(kind, start, group);
    for (let at = start; at < end;) {
      if (reader.bytes[at] === attribute) {
        at = this.keyValues.addRun(into.labels, attribute, at, end);
        continue;
      }
      const tag = reader.tag(at, end);
      const from = reader.at;
      at = reader.skip(tag, from, end);
      if (tag === 0x11 || tag === 0x19) this.time(tag, from);
      else if (tag === flags) this.flags = reader.varint(from, at);
      else if (tag === exemplar) this.exemplar(this.valueStart(from, end), at);
      else if (kind <= MetricKind.sum) this.numberField(tag, from);
      else this.distributionField(kind, tag, from, at);
    }
    this.closePoint(kind);
  }

  private valueStart(at: number, end: number): number {
    this.reader.valueEnd(at, end);
    return this.reader.at;
  }

  private beginPoint(kind: MetricKind, at: number, group: number): void {
    this.pointAt = at;
    this.into.begin();
    this.fault = undefined;
    this.hasValue = false;
    this.flags = 0;
    this.keyValues.useGroup(group);
    if (kind > MetricKind.sum) this.buckets.clear(kind);
  }

  private time(tag: number, at: number): void {
    const { words } = this.reader;
    const { point } = this.into;
    const low = words.getUint32(at, true);
    const high = words.getUint32(at + 4, true);
    if (tag === 0x11) [point.startHigh, point.startLow] = [high, low];
    else [point.timeHigh, point.timeLow] = [high, low];
  }

  private numberField(tag: number, at: number): void {
    const { words } = this.reader;
    if (tag !== 0x21 && tag !== 0x31) return;
    this.hasValue = true;
    this.into.point.value = tag === 0x21 ? words.getFloat64(at, true) : signed64(words, at);
  }

  private distributionField(kind: MetricKind, tag: number, from: number, to: number): void {
    const { words } = this.reader;
    const { point } = this.into;
    if (tag === 0x21) {
      point.count = unsigned64(words, from);
      this.hasValue = true;
    } else if (tag === 0x29) point.value = words.getFloat64(from, true);
    else if (kind === MetricKind.histogram) this.histogramField(tag, from, to);
    else if (kind === MetricKind.exponentialHistogram) this.exponentialField(tag, from, to);
    else if (tag === 0x32) this.quantile(this.valueStart(from, to), to);
  }

  private histogramField(tag: number, from: number, to: number): void {
    const { words } = this.reader;
    const { point } = this.into;
    if (tag === 0x59) point.min = words.getFloat64(from, true);
    else if (tag === 0x61) point.max = words.getFloat64(from, true);
    // Packed, or one by one, which the encoding allows too.
    else if (tag === 0x32 || tag === 0x31)
      this.fixedRun(tag, from, to, (at) => this.buckets.counts.push(unsigned64(words, at)));
    else if (tag === 0x3a || tag === 0x39)
      this.fixedRun(tag, from, to, (at) => this.buckets.bounds.push(words.getFloat64(at, true)));
  }

  private fixedRun(tag: number, from: number, to: number, take: (at: number) => void): void {
    const start = (tag & 7) === 2 ? this.valueStart(from, to) : from;
    if ((to - start) % 8 !== 0) this.setFault("point-malformed", `a list of ${to - start} bytes, not of 8 each`);
    else for (let at = start; at < to; at += 8) take(at);
  }

  private exponentialField(tag: number, from: number, to: number): void {
    const { words } = this.reader;
    const { exponential } = this.buckets;
    if (tag === 0x30) exponential.scale = this.zigzag(from, to);
    else if (tag === 0x39) exponential.zeroCount = unsigned64(words, from);
    else if (tag === 0x61) this.into.point.min = words.getFloat64(from, true);
    else if (tag === 0x69) this.into.point.max = words.getFloat64(from, true);
    else if (tag === 0x71) exponential.zeroThreshold = words.getFloat64(from, true);
    else if (tag === 0x42)
      exponential.positiveOffset = this.bucketList(exponential.positive, this.valueStart(from, to), to);
    else if (tag === 0x4a)
      exponential.negativeOffset = this.bucketList(exponential.negative, this.valueStart(from, to), to);
  }

  /** Reads a Buckets message into `counts`; returns its offset. */
  private bucketList(counts: number[], start: number, end: number): number {
    const { reader } = this;
    let offset = 0;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      const from = reader.at;
      at = reader.skip(tag, from, end);
      if (tag === 0x08) offset = this.zigzag(from, at);
      else if (tag === 0x10) counts.push(reader.varint(from, at));
      else if (tag === 0x12) {
        for (let one = this.valueStart(from, at); one < at; one = reader.at) counts.push(reader.varint(one, at));
      }
    }
    return offset;
  }

  private zigzag(from: number, to: number): number {
    this.reader.varint(from, to);
    const { low } = this.reader;
    return (low >>> 1) ^ -(low & 1);
  }

  private quantile(start: number, end: number): void {
    const { reader } = this;
    let quantile = 0;
    let value = 0;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      const from = reader.at;
      at = reader.skip(tag, from, end);
      if (tag === 0x09) quantile = reader.words.getFloat64(from, true);
      else if (tag === 0x11) value = reader.words.getFloat64(from, true);
    }
    this.into.addBucket(quantile, value);
  }

  private exemplar(start: number, end: number): void {
    const { reader, ids } = this;
    const { words } = reader;
    let [high, low, value] = [0, 0, Number.NaN];
    ids.fill(0);
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      const from = reader.at;
      at = reader.skip(tag, from, end);
      if (tag === 0x11) [low, high] = [words.getUint32(from, true), words.getUint32(from + 4, true)];
      else if (tag === 0x19) value = words.getFloat64(from, true);
      else if (tag === 0x31) value = signed64(words, from);
      else if (tag === 0x2a) readOtlpId(words, ids, 0, this.valueStart(from, end), at, 4);
      else if (tag === 0x22) readOtlpId(words, ids, 4, this.valueStart(from, end), at, 2);
    }
    if (ids[0] !== 0 || ids[1] !== 0 || ids[2] !== 0 || ids[3] !== 0) this.into.addExemplar(high, low, value, ids);
  }

  private closePoint(kind: MetricKind): void {
    const { into } = this;
    const { point } = into;
    if (point.timeHigh === 0 && point.timeLow === 0) this.setFault("time-missing", "no time_unix_nano");
    if ((this.flags & NO_RECORDED_VALUE) !== 0) point.value = Number.NaN;
    else if (!this.hasValue && kind <= MetricKind.sum) this.setFault("value-missing", "neither as_double nor as_int");
    if (kind >= MetricKind.histogram) {
      const problem = this.buckets.addTo(into, kind);
      if (problem !== "") this.setFault("point-malformed", problem);
    }
    if (this.fault !== undefined) {
      this.reject(this.fault.reason, `found ${this.fault.found}`);
      return;
    }
    into.commit(kind);
    this.intake.points.accept();
    this.pointAt = -1;
  }

  private setFault(reason: PointRejectReason, found: string): void {
    this.fault ??= { reason, found };
  }

  private reject(reason: PointRejectReason, found: string): void {
    this.into.drop();
    this.intake.points.reject(reason, `${this.reader.file}: byte ${this.reader.offset(this.pointAt)}: ${found}`);
    this.pointAt = -1;
  }
}

const unsigned64 = (words: DataView, at: number): number =>
  words.getUint32(at + 4, true) * 2 ** 32 + words.getUint32(at, true);
const signed64 = (words: DataView, at: number): number =>
  words.getInt32(at + 4, true) * 2 ** 32 + words.getUint32(at, true);
