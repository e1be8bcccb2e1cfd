import { type AttributeSink, AttributeType } from "../model/attribute-table.ts";
import type { Intake } from "../model/intake.ts";
import type { SpanTableBuilder } from "../model/span-table-builder.ts";
import { readOpaqueId } from "./hex-ids.ts";
import { JaegerReferences } from "./jaeger-references.ts";
import { JaegerTags } from "./jaeger-tags.ts";
import { JsonKeys } from "./json-keys.ts";
import { Decimal64 } from "./json-number.ts";
import { END_OF_OBJECT, JsonKind, type JsonReader } from "./json-reader.ts";
import { ResourcePool } from "./json-resources.ts";
import { SpanTags } from "./json-span-tags.ts";
import { JsonSpanWriter } from "./json-span-writer.ts";

/**
 * Decodes one document of Jaeger's JSON, appending its spans to `into`:
 * what the UI and the query API export (`{"data": [trace, ...]}`), an array of
 * traces, one trace, or spans with their process inside, as the archive and
 * Elasticsearch keep them.
 *
 * bytes: the document, its first byte being byte `byteBase` of `file` after decompression.
 * Times are microseconds; 0 is a valid start, hand-made files begin there. Ids are
 * opaque: hex is filled up with zeros on the left, other text is hashed (readOpaqueId).
 * CHILD_OF within the trace is the parent. FOLLOWS_FROM is kept as a link, and is
 * the parent where there is no other. What the process says is the resource.
 * Rejects and throws as decodeOtlpJson does.
 */
export function decodeJaegerJson(
  bytes: Uint8Array,
  into: SpanTableBuilder,
  intake: Intake,
  file: string,
  byteBase: number,
): void {
  new JaegerJsonDecoder(new JsonSpanWriter(bytes, into, intake, file, byteBase)).document();
}

const Key = {
  data: 0,
  traceID: 1,
  spans: 2,
  processes: 3,
  spanID: 4,
  parentSpanID: 5,
  operationName: 6,
  references: 7,
  startTime: 8,
  startTimeMillis: 9,
  duration: 10,
  tags: 11,
  logs: 12,
  processID: 13,
  process: 14,
  serviceName: 15,
  timestamp: 16,
  fields: 17,
} as const;
const KEYS = new JsonKeys([
  ...Object.entries(Key),
  ["traceId", Key.traceID],
  ["spanId", Key.spanID],
  ["parentSpanId", Key.parentSpanID],
  ["processId", Key.processID],
]);

class JaegerJsonDecoder {
  private readonly writer: JsonSpanWriter;
  private readonly reader: JsonReader;
  private readonly into: SpanTableBuilder;
  private readonly resources: ResourcePool;
  private readonly references: JaegerReferences;
  private readonly tags: JaegerTags;
  private readonly spanTags: SpanTags;
  private readonly serviceNameKey: number;
  private readonly hostnameKey: number;
  private readonly hostNameKey: number;
  private readonly eventKey: number;

  /** Words of the enclosing trace's id, for spans that leave theirs out. */
  private readonly traceWords = new Uint32Array(4);
  private readonly duration = new Decimal64();
  private readonly eventTime = new Uint32Array(2);
  private eventName = 0;
  /** Takes the `event` field of a log as the event's name. */
  private readonly eventFields: AttributeSink = {
    add: (key, type, value) => {
      if (key === this.eventKey && type === AttributeType.string) this.eventName = value;
      else this.into.eventAttributes.add(key, type, value);
    },
  };

  constructor(writer: JsonSpanWriter) {
    this.writer = writer;
    this.reader = writer.reader;
    this.into = writer.into;
    this.resources = ResourcePool.of(writer.into);
    this.references = new JaegerReferences(writer);
    this.tags = new JaegerTags(writer);
    this.spanTags = new SpanTags(writer.into, "only-true");
    this.serviceNameKey = writer.strings.intern("service.name");
    this.hostnameKey = writer.strings.intern("hostname");
    this.hostNameKey = writer.strings.intern("host.name");
    this.eventKey = writer.strings.intern("event");
  }

  document(): void {
    const { reader } = this;
    try {
      if (reader.kind() === JsonKind.array) this.list();
      else if (this.objectForm() === "export") this.export();
      else this.traceOrSpan();
      reader.expectEnd();
    } catch (error) {
      this.writer.abandon(error);
      throw error;
    }
  }

  private export(): void {
    const { reader } = this;
    reader.enterObject();
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.data) this.list();
      else reader.skipValue();
    }
  }

  private list(): void {
    const { reader } = this;
    if (!this.writer.arrayHere()) return;
    while (reader.nextElement()) this.traceOrSpan();
  }

  private traceOrSpan(): void {
    this.traceWords.fill(0);
    const form = this.objectForm();
    if (form === "export") this.reader.fail("a trace or a span");
    if (form === "trace") {
      this.trace();
      return;
    }
    const row = this.into.open;
    this.span();
    this.resolveResources(row, NO_PROCESSES);
  }

  private trace(): void {
    const { reader, into } = this;
    const first = into.open;
    const processes = new Map<number, number>();
    reader.enterObject();
    try {
      for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
        if (key === Key.traceID) this.traceId();
        else if (key === Key.processes) this.processes(processes);
        else if (key !== Key.spans) reader.skipValue();
        else if (this.writer.arrayHere()) while (reader.nextElement()) this.span();
      }
    } finally {
      this.resolveResources(first, processes);
    }
  }

  /** What the object here is, by the first key that only one of the three has. Nothing is consumed; an object without any is no Jaeger JSON. */
  private objectForm(): "export" | "trace" | "span" {
    const { reader } = this;
    if (reader.kind() !== JsonKind.object) return "trace";
    const start = reader.position;
    let form: "export" | "trace" | "span" | undefined;
    reader.enterObject();
    while (form === undefined) {
      const key = reader.nextKey(KEYS);
      if (key === Key.data) form = "export";
      else if (key === Key.spans || key === Key.processes) form = "trace";
      else if (key >= Key.spanID) form = "span";
      else if (key !== END_OF_OBJECT) reader.skipValue();
      else {
        reader.position = start;
        reader.fail("an object with data, spans or a span's fields");
      }
    }
    reader.position = start;
    return form;
  }

  private traceId(): void {
    const { reader, writer } = this;
    if (!writer.textHere()) return;
    readOpaqueId(reader.text, reader.textStart, reader.textEnd, this.traceWords, 0, 4);
  }

  /** The processes of a trace by the string id of their name. */
  private processes(into: Map<number, number>): void {
    const { reader, writer } = this;
    if (!writer.objectHere()) return;
    while (reader.nextKeyText()) {
      const name = writer.textId();
      into.set(name, this.process());
    }
  }

  /** The resource of a process. */
  private process(): number {
    const { reader, writer, resources } = this;
    resources.clear();
    if (!writer.objectHere()) return resources.closeEmpty();
    let hostname = 0;
    const sink: AttributeSink = {
      add: (key, type, value) => {
        if (key === this.hostnameKey && type === AttributeType.string) hostname = value;
        resources.add(key, type, value);
      },
    };
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.serviceName) {
        const name = writer.stringId();
        if (name !== 0) resources.add(this.serviceNameKey, AttributeType.string, name);
      } else if (key === Key.tags) this.tags.readList(sink);
      else reader.skipValue();
    }
    if (hostname !== 0 && !resources.has(this.hostNameKey)) {
      resources.add(this.hostNameKey, AttributeType.string, hostname);
    }
    return resources.close();
  }

  /**
   * Reads a span. Its resource column holds, until resolveResources, the string id
   * of its processID, or -1 - r for the process inside of it: resource r.
   */
  private span(): void {
    const { reader, writer, into, spanTags } = this;
    if (!writer.beginSpan(0, 0)) return;
    const row = into.open;
    into.traceId.set(this.traceWords, 4 * row);
    spanTags.beginSpan();
    this.references.beginSpan();
    let hasStart = false;
    this.duration.high = this.duration.low = 0;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      switch (key) {
        case Key.traceID:
          this.references.id(into.traceId, 4 * row, 4, "trace-id-invalid");
          break;
        case Key.spanID:
          this.references.id(into.spanId, 2 * row, 2, "span-id-invalid");
          break;
        case Key.parentSpanID:
          this.references.readLegacyParent();
          break;
        case Key.references:
          this.references.readList();
          break;
        case Key.operationName:
          into.name[row] = writer.stringId();
          break;
        case Key.startTime:
          hasStart = writer.time(into.startWords, row, 3);
          break;
        case Key.startTimeMillis:
          if (hasStart) reader.skipValue();
          else if (writer.time(into.startWords, row, 6)) hasStart = true;
          break;
        case Key.duration:
          if (writer.decimal(3)) this.duration.copy(writer.number);
          break;
        case Key.tags:
          this.tags.readList(spanTags);
          break;
        case Key.logs:
          if (writer.arrayHere()) while (reader.nextElement()) this.log();
          break;
        case Key.processID: {
          const name = writer.stringId();
          if (into.resource[row]! >= 0) into.resource[row] = name;
          break;
        }
        case Key.process:
          into.resource[row] = -1 - this.process();
          break;
        default:
          reader.skipValue();
      }
    }
    spanTags.endSpan();
    this.references.endSpan();
    writer.endAfter(this.duration);
    writer.endSpan(hasStart);
  }

  private log(): void {
    const { reader, writer } = this;
    this.eventName = 0;
    this.eventTime.fill(0);
    if (!writer.objectHere()) return;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.timestamp) writer.time(this.eventTime, 0, 3);
      else if (key === Key.fields) this.tags.readList(this.eventFields);
      else reader.skipValue();
    }
    this.into.addEvent(this.eventTime[0]!, this.eventTime[1]!, this.eventName);
  }

  /** Gives the spans from row `first` on their resources; those of a process that is not listed have an empty one. */
  private resolveResources(first: number, processes: ReadonlyMap<number, number>): void {
    const { into } = this;
    for (let row = first; row < into.open; row++) {
      const held = into.resource[row]!;
      into.resource[row] = held < 0 ? -1 - held : (processes.get(held) ?? this.resources.closeEmpty());
    }
  }
}

const NO_PROCESSES: ReadonlyMap<number, number> = new Map();
