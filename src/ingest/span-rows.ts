import { decodeOtlpJson } from "../formats/otlp-json.ts";
import { OtlpTraceDecoder } from "../formats/otlp-protobuf.ts";
import { decodeZipkinJson } from "../formats/zipkin-json.ts";
import { Intake } from "../model/intake.ts";
import { type SpanMark, SpanTableBuilder } from "../model/span-table-builder.ts";
import type { SpanTable } from "../model/span-table.ts";
import { rejectedSpans, REQUEST } from "./request-intake.ts";
import type { TableSignal } from "./table-rows.ts";

/** Spans of OTLP and Zipkin. */
export function spanSignal(): TableSignal<SpanTable, SpanMark> {
  const builder = new SpanTableBuilder();
  const intake = new Intake();
  const protobuf = new OtlpTraceDecoder(builder, intake, REQUEST);
  return {
    builder,
    intake,
    read({ format }, bytes) {
      switch (format) {
        case "otlp-protobuf":
          protobuf.request(bytes, 0, bytes.length, 0);
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
      return {};
    },
    counted: ({ accepted, rejected }) => ({ accepted, ...rejectedSpans(rejected) }),
    rowsOf: ({ rowCount }) => rowCount,
    insert: (sink, table, token) => sink.insertSpans(table, token),
    early: "a span that began",
  };
}
