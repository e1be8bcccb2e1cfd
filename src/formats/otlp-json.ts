import type { Intake } from "../model/intake.ts";
import type { SpanTableBuilder } from "../model/span-table-builder.ts";
import { isZeroId, readBase64Id, readHexId } from "./hex-ids.ts";
import { camelAndSnake, JsonKeys, UNKNOWN_KEY } from "./json-keys.ts";
import { END_OF_OBJECT, JsonKind, type JsonReader } from "./json-reader.ts";
import { ResourcePool } from "./json-resources.ts";
import { JsonSpanWriter } from "./json-span-writer.ts";
import { OtlpJsonAttributes } from "./otlp-json-attributes.ts";

/**
 * Decodes one ExportTraceServiceRequest or TracesData document in OTLP's JSON
 * encoding, appending its spans to `into`.
 *
 * bytes: the document, its first byte being byte `byteBase` of `file` after decompression.
 * Fields may come in any order and in camelCase or snake_case; enums as numbers or
 * names; 64-bit numbers bare or as strings; ids in hex, or in base64.
 * A span without valid ids or times, or with a field of the wrong type, is
 * rejected with a reason, counted in `intake`. Throws InputError where the bytes
 * are not JSON or not this document; the spans before that stay, the one it
 * happened in is counted as rejected.
 */
export function decodeOtlpJson(
  bytes: Uint8Array,
  into: SpanTableBuilder,
  intake: Intake,
  file: string,
  byteBase: number,
): void {
  new OtlpJsonDecoder(new JsonSpanWriter(bytes, into, intake, file, byteBase)).document();
}

const Key = {
  resourceSpans: 0,
  resource: 1,
  scopeSpans: 2,
  /** scopeSpans before 2022 */
  instrumentationLibrarySpans: 3,
  scope: 4,
  /** scope before 2022 */
  instrumentationLibrary: 5,
  spans: 6,
  traceId: 7,
  spanId: 8,
  parentSpanId: 9,
  traceState: 10,
  name: 11,
  kind: 12,
  startTimeUnixNano: 13,
  endTimeUnixNano: 14,
  attributes: 15,
  events: 16,
  links: 17,
  status: 18,
  code: 19,
  timeUnixNano: 20,
} as const;
const KEYS = new JsonKeys(camelAndSnake(Key));

const KIND_NAMES = new JsonKeys(
  ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"].map((name, i) => [`SPAN_KIND_${name}`, i]),
);
const STATUS_NAMES = new JsonKeys(["UNSET", "OK", "ERROR"].map((name, i) => [`STATUS_CODE_${name}`, i]));

/** Contexts of attribute lists other than those of spans, whose context is the span's name. */
const RESOURCE_CONTEXT = -1;
const EVENT_CONTEXT = -2;

class OtlpJsonDecoder {
  private readonly writer: JsonSpanWriter;
  private readonly reader: JsonReader;
  private readonly into: SpanTableBuilder;
  private readonly attributes: OtlpJsonAttributes;
  private readonly resources: ResourcePool;
  private readonly link = new Uint32Array(6);
  private readonly eventTime = new Uint32Array(2);

  constructor(writer: JsonSpanWriter) {
    this.writer = writer;
    this.reader = writer.reader;
    this.into = writer.into;
    this.attributes = new OtlpJsonAttributes(writer);
    this.resources = ResourcePool.of(writer.into);
  }

  document(): void {
    const { reader } = this;
    try {
      reader.enterObject();
      for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
        if (key !== Key.resourceSpans) reader.skipValue();
        else if (this.writer.arrayHere()) while (reader.nextElement()) this.resourceSpans();
      }
      reader.expectEnd();
    } catch (error) {
      this.writer.abandon(error);
      throw error;
    }
  }

  /** The resource may stand behind its spans, which is why they get theirs at the end, also of a broken document. */
  private resourceSpans(): void {
    const { reader, writer, into } = this;
    if (!writer.objectHere()) return;
    const first = into.open;
    let resource = -1;
    try {
      for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
        if (key === Key.resource) resource = this.resource();
        else if (key !== Key.scopeSpans && key !== Key.instrumentationLibrarySpans) reader.skipValue();
        else if (writer.arrayHere()) while (reader.nextElement()) this.scopeSpans();
      }
    } finally {
      if (into.open > first)
        into.resource.fill(resource < 0 ? this.resources.closeEmpty() : resource, first, into.open);
    }
  }

  private resource(): number {
    const { reader } = this;
    this.resources.clear();
    if (!this.writer.objectHere()) return -1;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.attributes) this.attributes.readList(this.resources, RESOURCE_CONTEXT);
      else reader.skipValue();
    }
    return this.resources.close();
  }

  private scopeSpans(): void {
    const { reader, writer, into } = this;
    if (!writer.objectHere()) return;
    const first = into.open;
    let scope = 0;
    try {
      for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
        if (key === Key.scope || key === Key.instrumentationLibrary) scope = this.scopeName();
        else if (key !== Key.spans) reader.skipValue();
        else if (writer.arrayHere()) while (reader.nextElement()) this.span();
      }
    } finally {
      into.scope.fill(scope, first, into.open);
    }
  }

  private scopeName(): number {
    const { reader } = this;
    let name = 0;
    if (!this.writer.objectHere()) return name;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.name) name = this.writer.stringId();
      else reader.skipValue();
    }
    return name;
  }

  private span(): void {
    const { reader, writer, into } = this;
    if (!writer.beginSpan(0, 0)) return;
    const row = into.open;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      switch (key) {
        case Key.traceId:
          this.id(into.traceId, 4 * row, 4, "trace-id-invalid");
          break;
        case Key.spanId:
          this.id(into.spanId, 2 * row, 2, "span-id-invalid");
          break;
        case Key.parentSpanId:
          this.id(into.parentSpanId, 2 * row, 2, "span-id-invalid");
          break;
        case Key.traceState:
          into.traceState[row] = writer.stringId();
          break;
        case Key.name:
          into.name[row] = writer.stringId();
          break;
        case Key.kind:
          into.kind[row] = this.enumNumber(KIND_NAMES, 5);
          break;
        case Key.startTimeUnixNano:
          writer.time(into.startWords, row, 0);
          break;
        case Key.endTimeUnixNano:
          writer.time(into.endWords, row, 0);
          break;
        case Key.attributes:
          this.attributes.readList(into.attributes, into.name[row]!);
          break;
        case Key.events:
          if (writer.arrayHere()) while (reader.nextElement()) this.event();
          break;
        case Key.links:
          if (writer.arrayHere()) while (reader.nextElement()) this.spanLink();
          break;
        case Key.status:
          into.status[row] = this.statusCode();
          break;
        default:
          reader.skipValue();
      }
    }
    // In protobuf's JSON a missing number is 0: time 0 is no time.
    writer.endSpan(!isZeroId(into.startWords, 2 * row, 2) && !isZeroId(into.endWords, 2 * row, 2));
  }

  private event(): void {
    const { reader, writer } = this;
    let name = 0;
    this.eventTime.fill(0);
    if (!writer.objectHere()) return;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.timeUnixNano) writer.time(this.eventTime, 0, 0);
      else if (key === Key.name) name = writer.stringId();
      else if (key === Key.attributes) this.attributes.readList(this.into.eventAttributes, EVENT_CONTEXT);
      else reader.skipValue();
    }
    this.into.addEvent(this.eventTime[0]!, this.eventTime[1]!, name);
  }

  private spanLink(): void {
    const { reader, writer, link } = this;
    link.fill(0);
    if (!writer.objectHere()) return;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.traceId) this.id(link, 0, 4, "trace-id-invalid");
      else if (key === Key.spanId) this.id(link, 4, 2, "span-id-invalid");
      else reader.skipValue();
    }
    this.into.addLink(link);
  }

  private statusCode(): number {
    const { reader } = this;
    let code = 0;
    if (!this.writer.objectHere()) return code;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.code) code = this.enumNumber(STATUS_NAMES, 2);
      else reader.skipValue();
    }
    return code;
  }

  /** A number up to `most`, by number or name; others are 0, as protobuf has it for values it does not know. */
  private enumNumber(names: JsonKeys, most: number): number {
    const { reader, writer } = this;
    if (reader.kind() === JsonKind.string) {
      reader.readString();
      const named = names.find(reader.text, reader.textStart, reader.textEnd);
      return named === UNKNOWN_KEY ? 0 : named;
    }
    const number = writer.double() ?? 0;
    return Number.isInteger(number) && number >= 0 && number <= most ? number : 0;
  }

  /** An id of `words` words; the empty text is none. */
  private id(out: Uint32Array, at: number, words: number, reason: "trace-id-invalid" | "span-id-invalid"): void {
    const { reader, writer } = this;
    reader.kind();
    const from = reader.position;
    const quick = reader.quotedAt(8 * words);
    if (quick > 0 && readHexId(reader.bytes, quick, quick + 8 * words, out, at, words)) {
      reader.passQuoted(8 * words);
      return;
    }
    out.fill(0, at, at + words);
    if (!writer.textHere()) return;
    const { text, textStart: start, textEnd: end } = reader;
    if (start === end) return;
    const isHex = end - start === 8 * words && readHexId(text, start, end, out, at, words);
    if (!isHex && !readBase64Id(text, start, end, out, at, words)) writer.fault(reason, from);
  }
}
