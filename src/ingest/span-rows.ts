import { decodeOtlpJson } from "../formats/otlp-json.ts";
import { OtlpTraceDecoder } from "../formats/otlp-protobuf.ts";
import { decodeZipkinJson } from "../formats/zipkin-json.ts";
import { Intake } from "../model/intake.ts";
import { type SpanMark, SpanTableBuilder } from "../model/span-table-builder.ts";
import type { BlockRows, Inserted } from "./block-rows.ts";
import type { Decoded, Reading } from "./body.ts";
import { clear, countBefore, rejectedSpans, REQUEST, TOO_OLD } from "./request-intake.ts";
import type { Sink } from "./sink.ts";

interface Mark {
  readonly builder: SpanMark;
  readonly expired: number;
}

/** Spans of an open block. */
export class SpanRows implements BlockRows<Mark> {
  private readonly builder = new SpanTableBuilder();
  private readonly intake = new Intake();
  private readonly protobuf = new OtlpTraceDecoder(this.builder, this.intake, REQUEST);
  /** Spans that count as rejected: they stay in the table, and the store drops them. */
  private expired = 0;

  get rowCount(): number {
    return this.builder.open - this.expired;
  }

  mark(): Mark {
    return { builder: this.builder.mark(), expired: this.expired };
  }

  rewind(mark: Mark): void {
    this.builder.rewind(mark.builder);
    this.expired = mark.expired;
  }

  decode({ format, oldestMs }: Reading, bytes: Uint8Array): Decoded {
    const { builder, intake } = this;
    const mark = this.mark();
    clear(intake);
    try {
      this.read(format, bytes);
    } catch (error) {
      this.rewind(mark);
      throw error;
    }
    const { rejected, example } = rejectedSpans(intake);
    const old =
      oldestMs === undefined ? 0 : countBefore(builder.startWords, mark.builder.spans, builder.open, oldestMs);
    if (old === 0) return { accepted: intake.accepted, rejected, example };
    this.expired += old;
    const accepted = intake.accepted - old;
    if (accepted === 0) this.rewind(mark);
    const why = `a span that began before ${new Date(oldestMs!).toISOString()}, which is not kept`;
    return { accepted, rejected: { ...rejected, [TOO_OLD]: old }, example: example || why };
  }

  private read(format: Reading["format"], bytes: Uint8Array): void {
    const { builder, intake } = this;
    switch (format) {
      case "otlp-protobuf":
        return this.protobuf.request(bytes, 0, bytes.length, 0);
      case "otlp-json":
        return decodeOtlpJson(bytes, builder, intake, REQUEST, 0);
      case "zipkin-json":
        return decodeZipkinJson(bytes, builder, intake, REQUEST, 0);
      default:
        throw new Error(`${format} holds no spans`);
    }
  }

  async insertInto(sink: Sink, token: string): Promise<Inserted> {
    const { table, outOfRange } = this.builder.finish();
    if (table.rowCount > 0) await sink.insertSpans(table, token);
    return {
      stored: table.rowCount - this.expired,
      dropped: outOfRange > 0 ? { "time-out-of-range": outOfRange } : {},
    };
  }
}
