import { decodeOtlpMetricsJson } from "../formats/otlp-metrics-json.ts";
import { OtlpMetricDecoder } from "../formats/otlp-metrics-protobuf.ts";
import { PrometheusText } from "../formats/prometheus-text.ts";
import { RemoteWriteDecoder } from "../formats/remote-write.ts";
import { Intake } from "../model/intake.ts";
import { type MetricMark, MetricTableBuilder } from "../model/metric-table-builder.ts";
import type { BlockRows, Inserted } from "./block-rows.ts";
import type { Decoded, Reading } from "./body.ts";
import { clear, nsWords, rejectedPoints, REQUEST, TOO_OLD } from "./request-intake.ts";
import type { Sink } from "./sink.ts";

interface Mark {
  readonly builder: MetricMark;
  readonly expired: number;
}

/** Points of an open block. */
export class MetricRows implements BlockRows<Mark> {
  private readonly builder = new MetricTableBuilder();
  private readonly intake = new Intake();
  private readonly protobuf = new OtlpMetricDecoder(this.builder, this.intake, REQUEST);
  private readonly remoteWrite = new RemoteWriteDecoder(this.builder, this.intake, REQUEST);
  /** Points that count as rejected: they stay in the table, and the store drops them. */
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

  decode(reading: Reading, bytes: Uint8Array): Decoded {
    const { builder, intake } = this;
    const { format, oldestMs } = reading;
    const mark = this.mark();
    clear(intake);
    try {
      this.read(reading, bytes);
    } catch (error) {
      this.rewind(mark);
      throw error;
    }
    const { rejected, example } = rejectedPoints(intake);
    const isRemoteWrite = format === "remote-write-1" || format === "remote-write-2";
    const written = isRemoteWrite ? { written: { ...this.remoteWrite.written } } : {};
    const { high, low } = nsWords(oldestMs ?? 0);
    const old = oldestMs === undefined ? 0 : builder.countBefore(mark.builder.points, high, low);
    if (old === 0) return { accepted: intake.points.accepted, rejected, example, ...written };
    this.expired += old;
    const accepted = intake.points.accepted - old;
    if (accepted === 0) this.rewind(mark);
    const why = `a point of a time before ${new Date(oldestMs!).toISOString()}, which is not kept`;
    return { accepted, rejected: { ...rejected, [TOO_OLD]: old }, example: example || why, ...written };
  }

  private read({ format, receivedMs, service, instance }: Reading, bytes: Uint8Array): void {
    const { builder, intake } = this;
    switch (format) {
      case "otlp-protobuf":
        return this.protobuf.request(bytes, 0, bytes.length, 0);
      case "otlp-json":
        return decodeOtlpMetricsJson(bytes, builder, intake, REQUEST, 0);
      case "remote-write-1":
      case "remote-write-2":
        return this.remoteWrite.request(bytes, format === "remote-write-1" ? 1 : 2);
      case "prometheus-text": {
        const attributes: [string, string][] = [];
        if (service !== undefined) attributes.push(["service.name", service]);
        if (instance !== undefined) attributes.push(["service.instance.id", instance]);
        const atNs = BigInt(Math.floor(receivedMs)) * 1_000_000n;
        const text = new PrometheusText(builder, intake, REQUEST, atNs, attributes);
        text.push(bytes);
        return text.finish(false);
      }
      default:
        throw new Error(`${format} holds no metrics`);
    }
  }

  async insertInto(sink: Sink, token: string): Promise<Inserted> {
    const { table, outOfRange } = this.builder.finish();
    if (table.points.rowCount > 0) await sink.insertMetrics(table, token);
    return {
      stored: table.points.rowCount - this.expired,
      dropped: outOfRange > 0 ? { "time-out-of-range": outOfRange } : {},
    };
  }
}
