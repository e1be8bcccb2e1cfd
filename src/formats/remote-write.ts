import type { Intake, PointRejectReason } from "../model/intake.ts";
import { MetricKind, Temporality } from "../model/metric-table.ts";
import type { Instrument, MetricTableBuilder } from "../model/metric-table-builder.ts";
import { StringPool } from "../model/string-pool.ts";
import { NativeHistogram } from "./native-histogram.ts";
import { ProtobufReader, Wire } from "./protobuf-reader.ts";
import { RemoteWriteLabels, type Symbols } from "./remote-write-labels.ts";

/*
 * Prometheus remote-write. Fields that are not kept stand with a dash.
 *
 * 1.0, prometheus.WriteRequest:
 *   message WriteRequest   { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
 *   message TimeSeries     { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
 *   message MetricMetadata { MetricType type = 1; string metric_family_name = 2; - string help = 4; string unit = 5; }
 * 2.0, io.prometheus.write.v2.Request; refs are indices of symbols:
 *   message Request        { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
 *   message TimeSeries     { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; repeated Exemplar exemplars = 4; Metadata metadata = 5; }
 *   message Exemplar       { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
 *   message Metadata       { MetricType type = 1; - uint32 help_ref = 3; uint32 unit_ref = 4; }
 * both:
 *   message Sample         { double value = 1; int64 timestamp = 2; }
 *   enum MetricType        { UNKNOWN = 0; COUNTER = 1; GAUGE = 2; HISTOGRAM = 3; GAUGEHISTOGRAM = 4; SUMMARY = 5; INFO = 6; STATESET = 7; }
 * Histogram: native-histogram.ts; Label: remote-write-labels.ts.
 */

/** What a request held that is in the table now: 2.0 wants it told. */
export interface Written {
  samples: number;
  histograms: number;
  exemplars: number;
}

const Type = { unknown: 0, counter: 1, gauge: 2, histogram: 3, summary: 5 } as const;

/** 2^64 ns are reached in 2554. */
const MAX_MS = 2 ** 64 / 1e6;
const TWO_32 = 2 ** 32;

/** Tags of a TimeSeries by version; 1.0's has no metadata. */
const LAYOUT = {
  1: { samples: 0x12, exemplars: 0x1a, histograms: 0x22, metadata: -1 },
  2: { samples: 0x12, exemplars: 0x22, histograms: 0x1a, metadata: 0x2a },
} as const;
const LABELS = 0x0a;
/** A ref that is not packed, as proto3 allows. */
const LABEL_REF = 0x08;
/** Series whose labels are wrong. */
const NONE = -1;

/**
 * Decodes remote-write requests into one table. Counters (by their type, or by the endings `_total`, `_bucket`, `_sum` and
 * `_count`, which Prometheus reserves for them) become cumulative sums, native histograms distributions, all
 * else gauges. Classic histograms stay the series they come as: senders spread these over requests. A stale
 * marker is a point without a value, as in OTLP.
 *
 * A series without a name or with a label twice is rejected with all its points, counted in `intake.points`. Throws
 * InputError where the bytes are not such a request.
 */
export class RemoteWriteDecoder {
  readonly written: Written = { samples: 0, histograms: 0, exemplars: 0 };
  private readonly reader: ProtobufReader;
  private readonly into: MetricTableBuilder;
  private readonly intake: Intake;
  private readonly histogram: NativeHistogram;
  private readonly noResource: number;

  /** Bytes of label messages → series, of 1.0: a sender repeats them in every request. */
  private readonly labelBytes = new StringPool();
  private readonly seriesOfLabels: number[] = [];
  private readonly symbols: Symbols = [];
  /** by string id of the family's name, of 1.0 */
  private readonly metadata = new Map<number, { type: number; unit: number }>();

  private version: 1 | 2 = 1;
  /** Where the parts of the series being read are: starts and ends. */
  private seriesAt = 0;
  private readonly samples: number[] = [];
  private readonly histograms: number[] = [];
  private readonly exemplars: number[] = [];
  private readonly labels: RemoteWriteLabels;
  private readonly exemplarLabels: RemoteWriteLabels;
  /** string id of the name of the series */
  private name = 0;
  private type = 0;
  private unit = 0;
  private readonly ids = new Uint32Array(6);

  constructor(into: MetricTableBuilder, intake: Intake, file: string) {
    this.reader = new ProtobufReader(file);
    this.into = into;
    this.intake = intake;
    this.histogram = new NativeHistogram(this.reader, into);
    into.resources.clear();
    this.noResource = into.resources.close();
    this.labels = new RemoteWriteLabels(this.reader, into.strings, this.symbols);
    this.exemplarLabels = new RemoteWriteLabels(this.reader, into.strings, this.symbols);
  }

  /** Decodes a request; `written` is what of it is in the table. */
  request(bytes: Uint8Array, version: 1 | 2): void {
    const { reader, written } = this;
    reader.over(bytes, 0);
    this.version = version;
    written.samples = written.histograms = written.exemplars = 0;
    this.symbols.length = 0;
    this.metadata.clear();
    const seriesTag = version === 1 ? 0x0a : 0x2a;
    // Types of 1.0 and symbols of 2.0 may stand behind the series that need them.
    this.each(0, bytes.length, (tag, start, end) => {
      if (version === 1 && tag === 0x1a) this.familyMetadata(start, end);
      else if (version === 2 && tag === 0x22) this.symbols.push(this.into.strings.internBytes(bytes, start, end));
    });
    this.each(0, bytes.length, (tag, start, end) => {
      if (tag === seriesTag) this.timeSeries(start, end);
    });
  }

  private each(start: number, end: number, take: (tag: number, start: number, end: number) => void): void {
    const { reader } = this;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      if ((tag & 7) === Wire.bytes) {
        at = reader.valueEnd(reader.at, end);
        take(tag, reader.at, at);
      } else at = reader.skip(tag, reader.at, end);
    }
  }

  private familyMetadata(start: number, end: number): void {
    const { reader } = this;
    const { strings } = this.into;
    let name = 0;
    let type = 0;
    let unit = 0;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      if (tag === 0x08) {
        type = reader.varint(reader.at, end);
        at = reader.at;
      } else if (tag === 0x12 || tag === 0x2a) {
        at = reader.valueEnd(reader.at, end);
        const id = strings.internBytes(reader.bytes, reader.at, at);
        if (tag === 0x12) name = id;
        else unit = id;
      } else at = reader.skip(tag, reader.at, end);
    }
    this.metadata.set(name, { type, unit });
  }

  private timeSeries(start: number, end: number): void {
    const { samples, histograms } = this;
    this.seriesAt = start;
    this.labels.fault = "";
    const labelsAreOneRun = this.findParts(start, end);
    if (samples.length > 0) {
      const series = this.numberSeries(labelsAreOneRun);
      for (let i = 0; i < samples.length; i += 2) {
        // Exemplars are of the series; they go with its last point.
        const isLast = i + 2 === samples.length && histograms.length === 0;
        this.sample(samples[i]!, samples[i + 1]!, series, isLast);
      }
    }
    if (histograms.length === 0) return;
    this.name = this.labels.readSeries(this.version, start);
    for (let i = 0; i < histograms.length; i += 2) {
      this.distribution(histograms[i]!, histograms[i + 1]!, i + 2 === histograms.length);
    }
  }

  /** Sets where the parts of a series are; tells whether its labels of 1.0 follow one another. */
  private findParts(start: number, end: number): boolean {
    const { reader, samples, histograms, exemplars, labels } = this;
    const labelParts = labels.parts;
    const layout = LAYOUT[this.version];
    // To set the length of an array costs a call, also where it is empty, as two of these nearly always are.
    samples.length = labelParts.length = 0;
    if (histograms.length > 0) histograms.length = 0;
    if (exemplars.length > 0) exemplars.length = 0;
    this.type = this.unit = 0;
    let oneRun = true;
    for (let at = start; at < end;) {
      const tagAt = at;
      const tag = reader.tag(at, end);
      if ((tag & 7) !== Wire.bytes) {
        if (this.version === 2 && tag === LABEL_REF) labelParts.push(reader.varint(reader.at, end));
        at = reader.skip(tag, reader.at, end);
        continue;
      }
      at = reader.valueEnd(reader.at, end);
      const from = reader.at;
      if (tag === LABELS) {
        if (this.version === 2) labels.addPacked(from, at);
        else {
          oneRun &&= labelParts.length === 0 || labelParts.at(-1) === tagAt;
          labelParts.push(from, at);
        }
      } else if (tag === layout.samples) samples.push(from, at);
      else if (tag === layout.histograms) histograms.push(from, at);
      else if (tag === layout.exemplars) exemplars.push(from, at);
      else if (tag === layout.metadata) this.seriesMetadata(from, at);
    }
    return oneRun;
  }

  private seriesMetadata(start: number, end: number): void {
    const { reader } = this;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      const behind = reader.at;
      if (tag === 0x08) this.type = reader.varint(behind, end);
      else if (tag === 0x20) this.unit = this.labels.symbol(reader.varint(behind, end), behind);
      at = reader.skip(tag, behind, end);
    }
  }

  /** The series of numbers that these labels name; NONE, with `fault` set, where they name none. */
  private numberSeries(labelsAreOneRun: boolean): number {
    const labelParts = this.labels.parts;
    // Types of 1.0 may differ from request to request, so what they tell is not remembered.
    if (this.version === 2 || !labelsAreOneRun || labelParts.length === 0 || this.metadata.size > 0)
      return this.makeNumberSeries();
    const id = this.labelBytes.internBytes(this.reader.bytes, labelParts[0]!, labelParts.at(-1)!);
    return (this.seriesOfLabels[id] ??= this.makeNumberSeries());
  }

  private makeNumberSeries(): number {
    const { into, labels } = this;
    const name = labels.readSeries(this.version, this.seriesAt);
    if (labels.fault !== "") return NONE;
    const isCounter = this.isCounter(into.strings.get(name));
    into.labels.clear();
    labels.addTo(into.labels);
    const labelSet = into.labels.close();
    return into.seriesOf(this.instrument(name, isCounter ? MetricKind.sum : MetricKind.gauge), labelSet);
  }

  private instrument(name: number, kind: MetricKind): Instrument {
    const isGauge = kind === MetricKind.gauge;
    return {
      resource: this.noResource,
      scope: 0,
      name,
      unit: this.unit,
      kind,
      temporality: isGauge ? Temporality.unspecified : Temporality.cumulative,
      monotonic: kind === MetricKind.sum,
    };
  }

  private isCounter(name: string): boolean {
    const told = this.type || this.familyOf(name);
    if (told === Type.counter) return true;
    // Quantiles of a summary are gauges beside its sum and count.
    if (told === Type.histogram || told === Type.summary) return /_(bucket|sum|count)$/.test(name);
    return told === Type.unknown && /_(total|bucket|sum|count)$/.test(name);
  }

  /** Type of a family of 1.0, whose unit is set with it; 0 where the request does not tell. */
  private familyOf(name: string): number {
    if (this.metadata.size === 0) return 0;
    const { strings } = this.into;
    const family =
      this.metadata.get(strings.intern(name)) ??
      this.metadata.get(strings.intern(name.replace(/_(total|bucket|sum|count|created|info)$/, "")));
    this.unit = family?.unit ?? 0;
    return family?.type ?? 0;
  }

  private sample(start: number, end: number, series: number, isLast: boolean): void {
    const { reader, into } = this;
    const { point } = into;
    into.begin();
    point.value = 0;
    let isTimed = false;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      if (tag === 0x09) {
        at = reader.fixed(reader.at, end, 8);
        point.value = reader.words.getFloat64(at - 8, true);
      } else if (tag === 0x10) {
        isTimed = this.setTime(reader.varint(reader.at, end));
        at = reader.at;
      } else at = reader.skip(tag, reader.at, end);
    }
    if (series === NONE) return this.reject("point-malformed", this.labels.fault);
    if (!isTimed) return this.rejectTime();
    const exemplars = isLast ? this.addExemplars() : 0;
    into.commitTo(series);
    this.intake.points.accept();
    this.written.samples++;
    this.written.exemplars += exemplars;
  }

  private distribution(start: number, end: number, isLast: boolean): void {
    const { into, histogram } = this;
    into.begin();
    histogram.read(start, end);
    const isTimed = this.setTime(histogram.timestampMs);
    if (this.labels.fault !== "") return this.reject("point-malformed", this.labels.fault);
    if (!isTimed) return this.rejectTime();
    const fault = histogram.addBuckets();
    if (fault !== "") return this.reject("point-malformed", fault);
    const exemplars = isLast ? this.addExemplars() : 0;
    into.labels.clear();
    this.labels.addTo(into.labels);
    const row = into.open;
    into.commit(histogram.kind);
    // Each by itself: histograms of one series may differ in kind, by their schema.
    into.assign(row, row + 1, this.instrument(this.name, histogram.kind));
    this.intake.points.accept();
    this.written.histograms++;
    this.written.exemplars += exemplars;
  }

  /** Sets the open point's time; false for one before 1970 or after 2554. */
  private setTime(ms: number): boolean {
    if (!setNs(ms, time)) return false;
    const { point } = this.into;
    point.timeHigh = time.high;
    point.timeLow = time.low;
    return true;
  }

  private addExemplars(): number {
    let added = 0;
    for (let i = 0; i < this.exemplars.length; i += 2) {
      if (this.exemplar(this.exemplars[i]!, this.exemplars[i + 1]!)) added++;
    }
    return added;
  }

  /** Adds an exemplar that names its trace; others say nothing that a trace could be found by. */
  private exemplar(start: number, end: number): boolean {
    const { reader, exemplarLabels: labels } = this;
    labels.parts.length = 0;
    let value = 0;
    let ms = -1;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      const behind = reader.at;
      at = reader.skip(tag, behind, end);
      if (tag === LABELS) {
        reader.valueEnd(behind, end);
        if (this.version === 1) labels.parts.push(reader.at, at);
        else labels.addPacked(reader.at, at);
      } else if (tag === LABEL_REF && this.version === 2) labels.parts.push(reader.varint(behind, end));
      else if (tag === 0x11) value = reader.words.getFloat64(at - 8, true);
      else if (tag === 0x18) ms = reader.varint(behind, end);
    }
    labels.read(this.version, start);
    if (!labels.readIds(this.ids)) return false;
    if (!setNs(ms, time)) time.high = time.low = 0;
    this.into.addExemplar(time.high, time.low, value, this.ids);
    return true;
  }

  private rejectTime(): void {
    this.reject("time-out-of-range", "a time before 1970 or after 2554, or none");
  }

  private reject(reason: PointRejectReason, found: string): void {
    this.into.drop();
    const { points } = this.intake;
    const where = `${this.reader.file}: byte ${this.reader.offset(this.seriesAt)}: found ${found}`;
    points.reject(reason, points.rejected.has(reason) ? "" : where);
  }
}

const time = { high: 0, low: 0 };

/** Milliseconds since 1970 as nanoseconds in two words, exactly: no product goes beyond 2^53. */
function setNs(ms: number, into: { high: number; low: number }): boolean {
  if (!(ms > 0 && ms < MAX_MS)) return false;
  const upper = Math.floor(ms / 65_536) * 1e6;
  const high = Math.floor(upper / 65_536);
  const rest = (upper % 65_536) * 65_536 + (ms % 65_536) * 1e6;
  into.high = high + Math.floor(rest / TWO_32);
  into.low = rest % TWO_32;
  return true;
}
