import { decodeOtlpMetricsJson } from "../formats/otlp-metrics-json.ts";
import { OtlpMetricDecoder } from "../formats/otlp-metrics-protobuf.ts";
import { PrometheusText } from "../formats/prometheus-text.ts";
import { RemoteWriteDecoder } from "../formats/remote-write.ts";
import { Intake } from "../model/intake.ts";
import { type MetricMark, MetricTableBuilder } from "../model/metric-table-builder.ts";
import type { MetricTable } from "../model/metric-table.ts";
import type { Reading } from "./body.ts";
import { rejectedPoints, REQUEST } from "./request-intake.ts";
import type { TableSignal } from "./table-rows.ts";

/** Points of OTLP, remote-write and what was scraped. */
export function metricSignal(): TableSignal<MetricTable, MetricMark> {
  const builder = new MetricTableBuilder();
  const intake = new Intake();
  const protobuf = new OtlpMetricDecoder(builder, intake, REQUEST);
  const remoteWrite = new RemoteWriteDecoder(builder, intake, REQUEST);
  return {
    builder,
    intake,
    read(reading, bytes) {
      const { format } = reading;
      switch (format) {
        case "otlp-protobuf":
          protobuf.request(bytes, 0, bytes.length, 0);
          return {};
        case "otlp-json":
          decodeOtlpMetricsJson(bytes, builder, intake, REQUEST, 0);
          return {};
        case "remote-write-1":
        case "remote-write-2":
          remoteWrite.request(bytes, format === "remote-write-1" ? 1 : 2);
          return { written: { ...remoteWrite.written } };
        case "prometheus-text": {
          const text = scraped(reading, builder, intake);
          text.push(bytes);
          text.finish(false);
          return {};
        }
        default:
          throw new Error(`${format} holds no metrics`);
      }
    },
    counted: ({ points }) => ({ accepted: points.accepted, ...rejectedPoints(points.rejected) }),
    rowsOf: ({ points }) => points.rowCount,
    insert: (sink, table, token) => sink.insertMetrics(table, token),
    early: "a point of a time",
  };
}

/** The text of a target does not say whose it is, nor when it was. */
function scraped({ receivedMs, service, instance }: Reading, into: MetricTableBuilder, intake: Intake): PrometheusText {
  const attributes: [string, string][] = [];
  if (service !== undefined) attributes.push(["service.name", service]);
  if (instance !== undefined) attributes.push(["service.instance.id", instance]);
  const atNs = BigInt(Math.floor(receivedMs)) * 1_000_000n;
  return new PrometheusText(into, intake, REQUEST, atNs, attributes);
}
