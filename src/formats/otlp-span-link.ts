import { isZeroId } from "./hex-ids.ts";
import { idFound, readOtlpId } from "./otlp-ids.ts";
import type { ProtobufReader } from "./protobuf-reader.ts";

/** Reads Link messages: `message Link { bytes trace_id = 1; bytes span_id = 2; - string trace_state = 3; - attributes = 4; }` */
export class OtlpSpanLink {
  /** four words of the trace id and two of the span id of the last that was read */
  readonly ids: Uint32Array = new Uint32Array(6);
  /** what is wrong with the last; "" where it is sound */
  fault = "";

  /** Whether the link in `[start, end)` names a span; OpenTelemetry allows links to nowhere for the sake of their attributes. */
  read(reader: ProtobufReader, start: number, end: number): boolean {
    const ids = this.ids.fill(0);
    const { words } = reader;
    let traceIdLength = 0;
    let spanIdLength = 0;
    this.fault = "";
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      if (tag === 0x0a || tag === 0x12) {
        at = reader.valueEnd(reader.at, end);
        if (tag === 0x0a) {
          traceIdLength = at - reader.at;
          readOtlpId(words, ids, 0, reader.at, at, 4);
        } else {
          spanIdLength = at - reader.at;
          readOtlpId(words, ids, 4, reader.at, at, 2);
        }
      } else {
        at = reader.skip(tag, reader.at, end);
      }
    }
    if (traceIdLength !== 16 && traceIdLength !== 0) this.fault = idFound("link's trace_id", traceIdLength, 16);
    else if (spanIdLength !== 8 && spanIdLength !== 0) this.fault = idFound("link's span_id", spanIdLength, 8);
    else return traceIdLength > 0 && spanIdLength > 0 && !isZeroId(ids, 0, 4) && !isZeroId(ids, 4, 2);
    return false;
  }
}
