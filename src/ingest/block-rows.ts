import { decodeOtlpJson } from "../formats/otlp-json.ts";
import { decodeOtlpMetricsJson } from "../formats/otlp-metrics-json.ts";
import { OtlpMetricDecoder } from "../formats/otlp-metrics-protobuf.ts";
import { OtlpTraceDecoder } from "../formats/otlp-protobuf.ts";
import { RemoteWriteDecoder } from "../formats/remote-write.ts";
import { decodeZipkinJson } from "../formats/zipkin-json.ts";
import { Intake } from "../model/intake.ts";
import { MetricTableBuilder, type MetricMark } from "../model/metric-table-builder.ts";
import { SpanTableBuilder, type SpanMark } from "../model/span-table-builder.ts";
import type { Body, Decoded } from "./body.ts";
import type { Reasons } from "./ledger.ts";
import type { KeptSignal } from "./signal.ts";
import type { Sink } from "./sink.ts";

/** What became of the rows of a block that the sink took. */
export interface Inserted {
  readonly stored: number;
  readonly dropped: Reasons;
}

/**
 * Rows of an open block: requests are decoded straight into its columns, and taken back from its end.
 * The same requests in the same order make the same rows.
 */
export interface BlockRows<Mark = unknown> {
  readonly rowCount: number;
  /** All of a request or nothing: throws InputError, with the rows as before, where the bytes cannot be read. */
  decode(body: Pick<Body, "format" | "receivedMs">, bytes: Uint8Array): Decoded;
  mark(): Mark;
  rewind(mark: Mark): void;
  insertInto(sink: Sink, token: string): Promise<Inserted>;
}

export function blockRows(signal: KeptSignal): BlockRows {
  switch (signal) {
    case "traces":
      return new SpanRows() as BlockRows;
    case "metrics":
      return new MetricRows() as BlockRows;
    case "profiles":
      throw new Error("profiles are not received yet");
  }
}

/** By what name messages call the bytes of a request. */
const REQUEST = "request";

class SpanRows implements BlockRows<SpanMark> {
  private readonly builder = new SpanTableBuilder();
  private readonly intake = new Intake();
  private readonly protobuf = new OtlpTraceDecoder(this.builder, this.intake, REQUEST);

  get rowCount(): number {
    return this.builder.open;
  }

  mark(): SpanMark {
    return this.builder.mark();
  }

  rewind(mark: SpanMark): void {
    this.builder.rewind(mark);
  }

  decode({ format }: Pick<Body, "format">, bytes: Uint8Array): Decoded {
    const { builder, intake } = this;
    const mark = builder.mark();
    clear(intake);
    try {
      switch (format) {
        case "otlp-protobuf":
          this.protobuf.request(bytes, 0, bytes.length, 0);
          break;
        case "otlp-json":
          decodeOtlpJson(bytes, builder, intake, REQUEST, 0);
          break;
        case "zipkin-json":
          decodeZipkinJson(bytes, builder, intake, REQUEST, 0);
          break;
        default:
          throw new Error(`${format} holds no spans`);
      }
    } catch (error) {
      builder.rewind(mark);
      throw error;
    }
    const rejected: Reasons = {};
    let example = "";
    for (const [reason, { spans, example: of }] of intake.rejected) {
      rejected[reason] = spans;
      example ||= of;
    }
    return { accepted: intake.accepted, rejected, example };
  }

  async insertInto(sink: Sink, token: string): Promise<Inserted> {
    const { table, outOfRange } = this.builder.finish();
    if (table.rowCount > 0) await sink.insertSpans(table, token);
    return { stored: table.rowCount, dropped: outOfRange > 0 ? { "time-out-of-range": outOfRange } : {} };
  }
}

class MetricRows implements BlockRows<MetricMark> {
  private readonly builder = new MetricTableBuilder();
  private readonly intake = new Intake();
  private readonly protobuf = new OtlpMetricDecoder(this.builder, this.intake, REQUEST);
  private readonly remoteWrite = new RemoteWriteDecoder(this.builder, this.intake, REQUEST);

  get rowCount(): number {
    return this.builder.open;
  }

  mark(): MetricMark {
    return this.builder.mark();
  }

  rewind(mark: MetricMark): void {
    this.builder.rewind(mark);
  }

  decode({ format }: Pick<Body, "format" | "receivedMs">, bytes: Uint8Array): Decoded {
    const { builder, intake } = this;
    const mark = builder.mark();
    clear(intake);
    try {
      switch (format) {
        case "otlp-protobuf":
          this.protobuf.request(bytes, 0, bytes.length, 0);
          break;
        case "otlp-json":
          decodeOtlpMetricsJson(bytes, builder, intake, REQUEST, 0);
          break;
        case "remote-write-1":
        case "remote-write-2":
          this.remoteWrite.request(bytes, format === "remote-write-1" ? 1 : 2);
          break;
        default:
          throw new Error(`${format} holds no metrics`);
      }
    } catch (error) {
      builder.rewind(mark);
      throw error;
    }
    const rejected: Reasons = {};
    let example = "";
    for (const [reason, { points, example: of }] of intake.points.rejected) {
      rejected[reason] = points;
      example ||= of;
    }
    const counts = { accepted: intake.points.accepted, rejected, example };
    return format.startsWith("remote-write") ? { ...counts, written: { ...this.remoteWrite.written } } : counts;
  }

  async insertInto(sink: Sink, token: string): Promise<Inserted> {
    const { table, outOfRange } = this.builder.finish();
    if (table.points.rowCount > 0) await sink.insertMetrics(table, token);
    return { stored: table.points.rowCount, dropped: outOfRange > 0 ? { "time-out-of-range": outOfRange } : {} };
  }
}

/** Counts are of one request: the first example of a reason is kept, and each request shall tell its own. */
function clear(intake: Intake): void {
  intake.received = intake.accepted = 0;
  intake.rejected.clear();
  intake.points.received = intake.points.accepted = 0;
  intake.points.rejected.clear();
  intake.errors.length = 0;
}
