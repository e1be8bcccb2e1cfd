import { MetricKind } from "../model/metric-table.ts";
import type { MetricTableBuilder } from "../model/metric-table-builder.ts";
import { addExponentialBuckets } from "./exponential-buckets.ts";
import type { ProtobufReader } from "./protobuf-reader.ts";

/*
 *   message Histogram  { oneof count { uint64 count_int = 1; double count_float = 2; } double sum = 3; sint32 schema = 4;
 *                        double zero_threshold = 5; oneof zero_count { uint64 zero_count_int = 6; double zero_count_float = 7; }
 *                        repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9; repeated double negative_counts = 10;
 *                        repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; repeated double positive_counts = 13;
 *                        - ResetHint reset_hint = 14; int64 timestamp = 15; repeated double custom_values = 16; }
 *   message BucketSpan { sint32 offset = 1; uint32 length = 2; }
 */

/** Buckets of a side: spans say which of them there are, deltas (of whole numbers) or counts what they hold. */
interface Side {
  /** offset and length of each span */
  readonly spans: number[];
  readonly deltas: number[];
  readonly counts: number[];
}

/** Bounds what a point may cost: a span may claim 2^32 buckets. */
const MAX_BUCKETS = 20_000;
/** The schema of buckets whose bounds are told. */
const CUSTOM = -53;

/** One native histogram of Prometheus at a time, read into the open point of a table. */
export class NativeHistogram {
  kind: MetricKind = MetricKind.exponentialHistogram;
  timestampMs = 0;
  private readonly reader: ProtobufReader;
  private readonly into: MetricTableBuilder;
  private schema = 0;
  private zeroThreshold = 0;
  private zeroCount = 0;
  private readonly negative: Side = { spans: [], deltas: [], counts: [] };
  private readonly positive: Side = { spans: [], deltas: [], counts: [] };
  private readonly bounds: number[] = [];

  constructor(reader: ProtobufReader, into: MetricTableBuilder) {
    this.reader = reader;
    this.into = into;
  }

  /** Reads the message in `[start, end)`: count and sum go to the point, the rest stays here. */
  read(start: number, end: number): void {
    const { reader, negative, positive } = this;
    const { point } = this.into;
    this.schema = this.zeroThreshold = this.zeroCount = this.timestampMs = 0;
    point.value = 0;
    for (const list of [this.bounds, ...Object.values(negative), ...Object.values(positive)])
      (list as number[]).length = 0;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      const behind = reader.at;
      at = reader.skip(tag, behind, end);
      const field = tag >>> 3;
      if ((tag & 7) === 2) {
        reader.valueEnd(behind, end);
        this.list(field, reader.at, at);
      } else if ((tag & 7) === 1) this.double(field, reader.words.getFloat64(behind, true));
      else if ((tag & 7) === 0) this.whole(field, reader.varint(behind, end));
    }
    this.kind = this.schema === CUSTOM ? MetricKind.histogram : MetricKind.exponentialHistogram;
  }

  private double(field: number, value: number): void {
    const { point } = this.into;
    if (field === 2) point.count = value;
    else if (field === 3) point.value = value;
    else if (field === 5) this.zeroThreshold = value;
    else if (field === 7) this.zeroCount = value;
    else this.list64(field, value);
  }

  private whole(field: number, value: number): void {
    if (field === 1) this.into.point.count = value;
    else if (field === 4) this.schema = this.signed();
    else if (field === 6) this.zeroCount = value;
    else if (field === 15) this.timestampMs = value;
    else if (field === 9) this.negative.deltas.push(this.signed());
    else if (field === 12) this.positive.deltas.push(this.signed());
  }

  /** The zigzag number of the varint read last. */
  private signed(): number {
    const { low, high } = this.reader;
    const half = high * 2 ** 31 + Math.floor(low / 2);
    return low % 2 === 0 ? half : -half - 1;
  }

  private list(field: number, start: number, end: number): void {
    const { reader } = this;
    if (field === 8 || field === 11) return this.span(field === 8 ? this.negative : this.positive, start, end);
    if (field === 9 || field === 12) {
      const { deltas } = field === 9 ? this.negative : this.positive;
      for (let at = start; at < end; at = reader.at) {
        reader.varint(at, end);
        deltas.push(this.signed());
      }
      return;
    }
    if (field !== 10 && field !== 13 && field !== 16) return;
    for (let at = start; at < end;) {
      at = reader.fixed(at, end, 8);
      this.list64(field, reader.words.getFloat64(at - 8, true));
    }
  }

  private list64(field: number, value: number): void {
    if (field === 10) this.negative.counts.push(value);
    else if (field === 13) this.positive.counts.push(value);
    else if (field === 16) this.bounds.push(value);
  }

  private span(side: Side, start: number, end: number): void {
    const { reader } = this;
    let offset = 0;
    let length = 0;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      const behind = reader.at;
      at = reader.skip(tag, behind, end);
      if (tag !== 0x08 && tag !== 0x10) continue;
      const value = reader.varint(behind, end);
      if (tag === 0x08) offset = this.signed();
      else length = value;
    }
    side.spans.push(offset, length);
  }

  /** Adds the buckets to the open point; returns what is wrong with them, or "". */
  addBuckets(): string {
    const positive = dense(this.positive);
    const negative = dense(this.negative);
    if (typeof positive === "string") return positive;
    if (typeof negative === "string") return negative;
    if (this.schema === CUSTOM) return this.addCustom(positive);
    if (this.schema < -4 || this.schema > 8) return `schema ${this.schema}`;
    return addExponentialBuckets(this.into, {
      scale: this.schema,
      zeroCount: this.zeroCount,
      zeroThreshold: this.zeroThreshold,
      // Prometheus' bucket i ends at base^i, OTLP's begins there.
      positiveOffset: positive.offset - 1,
      positive: positive.counts,
      negativeOffset: negative.offset - 1,
      negative: negative.counts,
    });
  }

  /** Bucket i ends at bound i; the one behind the last bound has no end. */
  private addCustom({ offset, counts }: Dense): string {
    const { bounds } = this;
    if (offset < 0 || offset + counts.length > bounds.length + 1) return `buckets beyond ${bounds.length} bounds`;
    for (let i = 0; i <= bounds.length; i++) {
      this.into.addBucket(bounds[i] ?? Number.POSITIVE_INFINITY, counts[i - offset] ?? 0);
    }
    return this.into.bucketsAscend() ? "" : "bounds that do not ascend";
  }
}

interface Dense {
  /** index of the first bucket */
  readonly offset: number;
  readonly counts: number[];
}

/** Counts of all buckets from the first to the last, or what is wrong. */
function dense({ spans, deltas, counts: told }: Side): Dense | string {
  const counts: number[] = [];
  const isFloat = told.length > 0;
  let used = 0;
  let held = 0;
  for (let i = 0; i < spans.length; i += 2) {
    const gap = i === 0 ? 0 : spans[i]!;
    const length = spans[i + 1]!;
    if (gap < 0) return "spans of buckets that overlap";
    if (counts.length + gap + length > MAX_BUCKETS) return `more than ${MAX_BUCKETS} buckets`;
    for (let j = 0; j < gap; j++) counts.push(0);
    for (let j = 0; j < length; j++, used++) {
      const next = isFloat ? told[used] : deltas[used];
      if (next === undefined) return "fewer counts than buckets";
      held = isFloat ? next : held + next;
      if (!(held >= 0)) return `a bucket with ${held} values`;
      counts.push(held);
    }
  }
  if (used !== (isFloat ? told.length : deltas.length)) return "more counts than buckets";
  return { offset: spans[0] ?? 0, counts };
}
