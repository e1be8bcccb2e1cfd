import { InputError, type Intake } from "../model/intake.ts";
import type { SpanTableBuilder } from "../model/span-table-builder.ts";
import { isZeroId } from "./hex-ids.ts";
import { idFound, readOtlpId } from "./otlp-ids.ts";
import { KeyValueReader } from "./otlp-key-values.ts";
import { OtlpResources } from "./otlp-resources.ts";
import { OtlpSpanLink } from "./otlp-span-link.ts";
import { ProtobufReader, Wire } from "./protobuf-reader.ts";

/*
 * What is decoded, from opentelemetry-proto 1.x (ExportTraceServiceRequest has the
 * layout of TracesData). Fields that are not kept stand with a dash.
 *
 *   message TracesData           { repeated ResourceSpans resource_spans = 1; }
 *   message ResourceSpans        { Resource resource = 1; repeated ScopeSpans scope_spans = 2; - string schema_url = 3;
 *                                  repeated ScopeSpans instrumentation_library_spans = 1000; // before 2022, same layout }
 *   message Resource             { repeated KeyValue attributes = 1; - uint32 dropped_attributes_count = 2; }
 *   message ScopeSpans           { InstrumentationScope scope = 1; repeated Span spans = 2; - string schema_url = 3; }
 *   message InstrumentationScope { string name = 1; - string version = 2; - repeated KeyValue attributes = 3; }
 *   message Span                 { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4;
 *                                  string name = 5; SpanKind kind = 6;
 *                                  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
 *                                  repeated KeyValue attributes = 9; - uint32 dropped_attributes_count = 10;
 *                                  repeated Event events = 11; - uint32 dropped_events_count = 12;
 *                                  repeated Link links = 13; - uint32 dropped_links_count = 14;
 *                                  Status status = 15; - fixed32 flags = 16; }
 *   message Event                { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
 *   message Status               { int32 deprecated_code = 1; - string message = 2; StatusCode code = 3; }
 * KeyValue and AnyValue: otlp-key-values.ts; Link: otlp-span-link.ts.
 */

/**
 * Decodes one ExportTraceServiceRequest, appending its spans to `into`.
 *
 * bytes: the message, its first byte being byte `byteBase` of `file` after decompression.
 * A span without valid ids or times is rejected with a reason, counted in `intake`.
 * Throws InputError where the bytes are not protobuf; the spans before that stay,
 * the one it happened in is counted as rejected.
 */
export function decodeOtlpTraces(
  bytes: Uint8Array,
  into: SpanTableBuilder,
  intake: Intake,
  file: string,
  byteBase = 0,
): void {
  new OtlpTraceDecoder(into, intake, file).request(bytes, 0, bytes.length, byteBase);
}

/** Tags with more than one use. */
const RESOURCE_SPANS = 0x0a;
const LIBRARY_SPANS = (1000 << 3) | 2;
const ATTRIBUTE = 0x4a;

/** Group of attributes for KeyValueReader; spans have the group of their name. */
const EVENT_GROUP = 1;

/**
 * Decodes requests of one file.
 *
 * It is several times as fast as building objects (bench/otlp-decode.ts) because nothing
 * is allocated per span or attribute, and because the field loop of a span, which
 * runs some 20 times per span, calls nothing for tags and lengths of one byte.
 */
export class OtlpTraceDecoder {
  private readonly reader: ProtobufReader;
  private readonly into: SpanTableBuilder;
  private readonly intake: Intake;

  private readonly keyValues: KeyValueReader;

  private readonly resources: OtlpResources;
  private resource = 0;
  private scope = 0;

  /** Start of the span being decoded, -1 outside of one. */
  private spanAt = -1;
  private traceIdLength = 0;
  private spanIdLength = 0;
  private parentIdLength = 0;
  private statusCode = 0;
  private deprecatedStatusCode = 0;
  private linkFault = "";
  private readonly link = new OtlpSpanLink();

  constructor(into: SpanTableBuilder, intake: Intake, file: string) {
    this.reader = new ProtobufReader(file);
    this.into = into;
    this.intake = intake;
    this.keyValues = new KeyValueReader(this.reader, into.strings, intake);
    const lists = into.resources;
    this.resources = new OtlpResources(this.reader, this.keyValues, lists, () => lists.closeList());
  }

  /** Decodes the request in `bytes[start, end)`; byte 0 of `bytes` is byte `byteBase` of the file. */
  request(bytes: Uint8Array, start: number, end: number, byteBase: number): void {
    this.reader.over(bytes, byteBase);
    this.reader.each(start, end, (tag, from, to) => {
      if (tag === RESOURCE_SPANS) this.resourceSpans(bytes, from, to, byteBase);
    });
  }

  /** Decodes the ResourceSpans message in `bytes[start, end)`. */
  resourceSpans(bytes: Uint8Array, start: number, end: number, byteBase: number): void {
    this.reader.over(bytes, byteBase);
    this.keyValues.begin();
    try {
      this.resourceSpansFields(start, end);
    } catch (error) {
      this.into.resources.dropOpenList();
      if (this.spanAt >= 0) {
        this.into.drop();
        const found = error instanceof InputError ? `found ${error.found} at byte ${error.byteOffset}` : String(error);
        this.intake.reject("span-malformed", this.example(found));
        this.spanAt = -1;
      }
      throw error;
    }
  }

  private resourceSpansFields(start: number, end: number): void {
    this.resource = this.resources.find(start, end);
    this.reader.each(start, end, (tag, from, to) => {
      if (tag === 0x12 || tag === LIBRARY_SPANS) this.scopeSpans(from, to);
    });
  }

  /** Spans of one scope. The scope may stand behind them: then their rows are set again. */
  private scopeSpans(start: number, end: number): void {
    const reader = this.reader;
    const firstRow = this.into.open;
    this.scope = 0;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      if (tag === 0x12) {
        this.spanAt = reader.at;
        const valueEnd = reader.valueEnd(reader.at, end);
        this.span(reader.at, valueEnd);
        at = valueEnd;
      } else if (tag === 0x0a) {
        const valueEnd = reader.valueEnd(reader.at, end);
        this.scopeName(reader.at, valueEnd);
        this.into.scope.fill(this.scope, firstRow, this.into.open);
        at = valueEnd;
      } else {
        at = reader.skip(tag, reader.at, end);
      }
    }
  }

  private scopeName(start: number, end: number): void {
    const reader = this.reader;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      if (tag === 0x0a) {
        at = reader.valueEnd(reader.at, end);
        this.scope = this.keyValues.intern(reader.at, at);
      } else {
        at = reader.skip(tag, reader.at, end);
      }
    }
  }

  private span(start: number, end: number): void {
    const reader = this.reader;
    const bytes = reader.bytes;
    const attributes = this.into.attributes;
    const keyValues = this.keyValues;
    const row = this.into.open;
    this.beginSpan();
    for (let at = this.spanHead(row, start, end); at < end;) {
      if (bytes[at] === ATTRIBUTE) {
        at = keyValues.addRun(attributes, ATTRIBUTE, at, end);
        continue;
      }
      let tag = bytes[at++]!;
      // Tags 0 to 7 would be of field number 0, which `tag` refuses.
      if (tag >= 0x80 || tag < 8) {
        tag = reader.tag(at - 1, end);
        at = reader.at;
      }
      if ((tag & 7) !== Wire.bytes) {
        at = this.spanNumber(tag, row, at, end);
        continue;
      }
      let valueEnd = at < end ? at + 1 + bytes[at]! : end + 1;
      if (valueEnd <= end && bytes[at]! < 0x80) {
        at++;
      } else {
        valueEnd = reader.valueEnd(at, end);
        at = reader.at;
      }
      this.spanBytes(tag, row, at, valueEnd);
      at = valueEnd;
    }
    this.closeSpan(row);
  }

  /**
   * Reads the fields that all encoders write first, ids to times, as far as they stand in the order of their
   * numbers; returns the position of the first that does not. What follows may set them again.
   */
  private spanHead(row: number, start: number, end: number): number {
    const { bytes, words } = this.reader;
    const into = this.into;
    let at = start;
    if (at + 28 > end || words.getInt16(at) !== 0x0a10 || words.getInt16(at + 18) !== 0x1208) return at;
    const { traceId, spanId, parentSpanId } = into;
    traceId[4 * row] = words.getInt32(at + 2);
    traceId[4 * row + 1] = words.getInt32(at + 6);
    traceId[4 * row + 2] = words.getInt32(at + 10);
    traceId[4 * row + 3] = words.getInt32(at + 14);
    this.traceIdLength = 16;
    spanId[2 * row] = words.getInt32(at + 20);
    spanId[2 * row + 1] = words.getInt32(at + 24);
    this.spanIdLength = 8;
    at += 28;
    if (at + 10 <= end && words.getInt16(at) === 0x2208) {
      parentSpanId[2 * row] = words.getInt32(at + 2);
      parentSpanId[2 * row + 1] = words.getInt32(at + 6);
      this.parentIdLength = 8;
      at += 10;
    }
    if (at + 2 > end || bytes[at] !== 0x2a || bytes[at + 1]! >= 0x80) return at;
    const nameEnd = at + 2 + bytes[at + 1]!;
    // Kind and times behind the name: 2 + 9 + 9 bytes.
    if (nameEnd + 20 > end) return at;
    const name = this.keyValues.intern(at + 2, nameEnd);
    into.name[row] = name;
    this.keyValues.useGroup(name);
    at = nameEnd;
    if (bytes[at] === 0x30 && bytes[at + 1]! < 0x80) {
      into.kind[row] = bytes[at + 1]! <= 5 ? bytes[at + 1]! : 0;
      at += 2;
    }
    if (bytes[at] !== 0x39 || bytes[at + 9] !== 0x41 || at + 18 > end) return at;
    into.startWords[2 * row] = words.getInt32(at + 5, true);
    into.startWords[2 * row + 1] = words.getInt32(at + 1, true);
    into.endWords[2 * row] = words.getInt32(at + 14, true);
    into.endWords[2 * row + 1] = words.getInt32(at + 10, true);
    return at + 18;
  }

  private beginSpan(): void {
    this.into.begin(this.resource, this.scope);
    this.traceIdLength = this.spanIdLength = this.parentIdLength = 0;
    this.statusCode = this.deprecatedStatusCode = 0;
    this.linkFault = "";
    this.keyValues.useGroup(0);
  }

  /** A field of a span that is not length-delimited, by its tag; returns the position behind it. */
  private spanNumber(tag: number, row: number, at: number, end: number): number {
    const reader = this.reader;
    const into = this.into;
    if (tag === 0x39 || tag === 0x41) {
      const valueEnd = reader.fixed(at, end, 8);
      const column = tag === 0x39 ? into.startWords : into.endWords;
      column[2 * row] = reader.words.getUint32(at + 4, true);
      column[2 * row + 1] = reader.words.getUint32(at, true);
      return valueEnd;
    }
    if (tag === 0x30) {
      const inOneByte = at < end && reader.bytes[at]! < 0x80;
      const kind = inOneByte ? reader.bytes[at]! : reader.varint(at, end);
      into.kind[row] = kind <= 5 ? kind : 0;
      return inOneByte ? at + 1 : reader.at;
    }
    return reader.skip(tag, at, end);
  }

  /** A length-delimited field of a span other than an attribute, by its tag. */
  private spanBytes(tag: number, row: number, start: number, end: number): void {
    const into = this.into;
    const { words } = this.reader;
    switch (tag) {
      case 0x0a:
        this.traceIdLength = end - start;
        readOtlpId(words, into.traceId, 4 * row, start, end, 4);
        break;
      case 0x12:
        this.spanIdLength = end - start;
        readOtlpId(words, into.spanId, 2 * row, start, end, 2);
        break;
      case 0x22:
        this.parentIdLength = end - start;
        readOtlpId(words, into.parentSpanId, 2 * row, start, end, 2);
        break;
      case 0x2a:
        into.name[row] = this.keyValues.intern(start, end);
        this.keyValues.useGroup(into.name[row]!);
        break;
      case 0x1a:
        into.traceState[row] = this.keyValues.intern(start, end);
        break;
      case 0x7a:
        this.status(start, end);
        break;
      case 0x5a:
        this.event(start, end);
        break;
      case 0x6a:
        this.spanLink(start, end);
        break;
      default:
        break;
    }
  }

  /** Commits the span in `row`, or rejects it when OTLP's required fields are missing. */
  private closeSpan(row: number): void {
    const into = this.into;
    into.status[row] = this.statusCode === 0 && this.deprecatedStatusCode > 0 ? 2 : this.statusCode;
    const startMissing = into.startWords[2 * row] === 0 && into.startWords[2 * row + 1] === 0;
    const endMissing = into.endWords[2 * row] === 0 && into.endWords[2 * row + 1] === 0;
    if (this.traceIdLength !== 16 || isZeroId(into.traceId, 4 * row, 4)) {
      this.reject("trace-id-invalid", idFound("trace_id", this.traceIdLength, 16));
    } else if (this.spanIdLength !== 8 || isZeroId(into.spanId, 2 * row, 2)) {
      this.reject("span-id-invalid", idFound("span_id", this.spanIdLength, 8));
    } else if (this.parentIdLength !== 0 && this.parentIdLength !== 8) {
      this.reject("span-id-invalid", idFound("parent_span_id", this.parentIdLength, 8));
    } else if (startMissing || endMissing) {
      this.reject("time-missing", startMissing ? "no start_time_unix_nano" : "no end_time_unix_nano");
    } else if (this.linkFault !== "") {
      this.reject("span-malformed", this.linkFault);
    } else {
      into.commit();
      this.intake.accept();
    }
    this.spanAt = -1;
  }

  private reject(
    reason: "trace-id-invalid" | "span-id-invalid" | "time-missing" | "span-malformed",
    found: string,
  ): void {
    this.into.drop();
    this.intake.reject(reason, this.intake.rejected.has(reason) ? "" : this.example(`found ${found}`));
  }

  private example(found: string): string {
    return `${this.reader.file}: byte ${this.reader.offset(this.spanAt)}: ${found}`;
  }

  private status(start: number, end: number): void {
    const reader = this.reader;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      if (tag === 0x08 || tag === 0x18) {
        const code = reader.varint(reader.at, end);
        if (tag === 0x08) this.deprecatedStatusCode = code;
        else this.statusCode = code <= 2 ? code : 0;
        at = reader.at;
      } else {
        at = reader.skip(tag, reader.at, end);
      }
    }
  }

  private event(start: number, end: number): void {
    const reader = this.reader;
    // Attributes of the span that follow an event find other predictions: OTLP writes them before.
    this.keyValues.useGroup(EVENT_GROUP);
    let high = 0;
    let low = 0;
    let name = 0;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      if (tag === 0x1a || tag === 0x12) {
        at = reader.valueEnd(reader.at, end);
        if (tag === 0x1a) this.keyValues.add(this.into.eventAttributes, reader.at, at);
        else name = this.keyValues.intern(reader.at, at);
      } else if (tag === 0x09) {
        at = reader.fixed(reader.at, end, 8);
        low = reader.words.getUint32(at - 8, true);
        high = reader.words.getUint32(at - 4, true);
      } else {
        at = reader.skip(tag, reader.at, end);
      }
    }
    this.into.addEvent(high, low, name);
  }

  private spanLink(start: number, end: number): void {
    const { link } = this;
    if (link.read(this.reader, start, end)) this.into.addLink(link.ids);
    if (link.fault !== "") this.linkFault = link.fault;
  }
}
