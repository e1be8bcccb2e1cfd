import { AttributeType } from "../model/attribute-table.ts";
import type { Intake } from "../model/intake.ts";
import type { SpanTableBuilder } from "../model/span-table-builder.ts";
import { SpanKind } from "../model/span-table.ts";
import { isZeroId, readHexId } from "./hex-ids.ts";
import { JsonKeys, UNKNOWN_KEY } from "./json-keys.ts";
import { Decimal64 } from "./json-number.ts";
import { END_OF_OBJECT, JsonKind, type JsonReader } from "./json-reader.ts";
import { ResourcePool } from "./json-resources.ts";
import { SpanTags } from "./json-span-tags.ts";
import { JsonSpanWriter } from "./json-span-writer.ts";

/**
 * Decodes one document of Zipkin's v2 JSON, appending its spans to `into`: an
 * array of spans, an array of such arrays (traces), or one span.
 *
 * bytes: the document, its first byte being byte `byteBase` of `file` after decompression.
 * Times are microseconds; a span without a timestamp is rejected, one without a
 * duration has none. The local endpoint is the resource, the remote one
 * `peer.service` and, of CLIENT spans, `server.address` and `server.port`.
 * Both halves of a shared span keep its id; the server's has `zipkin.shared` = true.
 * Rejects and throws as decodeOtlpJson does.
 */
export function decodeZipkinJson(
  bytes: Uint8Array,
  into: SpanTableBuilder,
  intake: Intake,
  file: string,
  byteBase: number,
): void {
  new ZipkinJsonDecoder(new JsonSpanWriter(bytes, into, intake, file, byteBase)).document();
}

const Key = {
  traceId: 0,
  id: 1,
  parentId: 2,
  name: 3,
  kind: 4,
  timestamp: 5,
  duration: 6,
  localEndpoint: 7,
  remoteEndpoint: 8,
  tags: 9,
  annotations: 10,
  shared: 11,
  serviceName: 12,
  ipv4: 13,
  ipv6: 14,
  port: 15,
  value: 16,
} as const;
const KEYS = new JsonKeys(Object.entries(Key));

const KIND_NAMES = new JsonKeys([
  ["SERVER", SpanKind.server],
  ["CLIENT", SpanKind.client],
  ["PRODUCER", SpanKind.producer],
  ["CONSUMER", SpanKind.consumer],
]);

interface Endpoint {
  /** string ids, 0 where missing */
  service: number;
  ip: number;
  /** 0 where missing */
  port: number;
}

class ZipkinJsonDecoder {
  private readonly writer: JsonSpanWriter;
  private readonly reader: JsonReader;
  private readonly into: SpanTableBuilder;
  private readonly resources: ResourcePool;
  private readonly spanTags: SpanTags;
  private readonly duration = new Decimal64();
  private readonly eventTime = new Uint32Array(2);
  private readonly local: Endpoint = { service: 0, ip: 0, port: 0 };
  private readonly remote: Endpoint = { service: 0, ip: 0, port: 0 };
  private readonly ids: Readonly<
    Record<"serviceName" | "hostIp" | "peerService" | "serverAddress" | "serverPort" | "shared", number>
  >;

  constructor(writer: JsonSpanWriter) {
    this.writer = writer;
    this.reader = writer.reader;
    this.into = writer.into;
    this.resources = ResourcePool.of(writer.into);
    this.spanTags = new SpanTags(writer.into, "any-text");
    const id = (text: string): number => writer.strings.intern(text);
    this.ids = {
      serviceName: id("service.name"),
      hostIp: id("host.ip"),
      peerService: id("peer.service"),
      serverAddress: id("server.address"),
      serverPort: id("server.port"),
      shared: id("zipkin.shared"),
    };
  }

  document(): void {
    const { reader } = this;
    try {
      if (reader.kind() === JsonKind.object) this.span();
      else {
        reader.enterArray();
        while (reader.nextElement()) {
          if (reader.kind() !== JsonKind.array) this.span();
          else {
            reader.enterArray();
            while (reader.nextElement()) this.span();
          }
        }
      }
      reader.expectEnd();
    } catch (error) {
      this.writer.abandon(error);
      throw error;
    }
  }

  private span(): void {
    const { reader, writer, into, spanTags } = this;
    if (!writer.beginSpan(0, 0)) return;
    const row = into.open;
    clearEndpoint(this.local);
    clearEndpoint(this.remote);
    spanTags.beginSpan();
    this.duration.high = this.duration.low = 0;
    let shared = false;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      switch (key) {
        case Key.traceId:
          this.id(into.traceId, 4 * row, 4, "trace-id-invalid");
          break;
        case Key.id:
          this.id(into.spanId, 2 * row, 2, "span-id-invalid");
          break;
        case Key.parentId:
          this.id(into.parentSpanId, 2 * row, 2, "span-id-invalid");
          break;
        case Key.name:
          into.name[row] = writer.stringId();
          break;
        case Key.kind:
          if (writer.textHere()) into.kind[row] = this.kindNumber();
          break;
        case Key.timestamp:
          writer.time(into.startWords, row, 3);
          break;
        case Key.duration:
          if (writer.decimal(3)) this.duration.copy(writer.number);
          break;
        case Key.localEndpoint:
          this.endpoint(this.local);
          break;
        case Key.remoteEndpoint:
          this.endpoint(this.remote);
          break;
        case Key.tags:
          this.tags();
          break;
        case Key.annotations:
          if (writer.arrayHere()) while (reader.nextElement()) this.annotation();
          break;
        case Key.shared:
          shared = writer.boolean() ?? false;
          break;
        default:
          reader.skipValue();
      }
    }
    spanTags.endSpan();
    into.resource[row] = this.resource();
    this.addRemote(into.kind[row] === SpanKind.client);
    if (shared) into.attributes.add(this.ids.shared, AttributeType.boolean, 1);
    writer.endAfter(this.duration);
    // Zipkin writes 0 for a time that it does not have.
    writer.endSpan(!isZeroId(into.startWords, 2 * row, 2));
  }

  private kindNumber(): number {
    const { reader } = this;
    const kind = KIND_NAMES.find(reader.text, reader.textStart, reader.textEnd);
    return kind === UNKNOWN_KEY ? SpanKind.unspecified : kind;
  }

  private tags(): void {
    const { reader, writer } = this;
    if (!writer.objectHere()) return;
    while (reader.nextKeyText()) {
      const key = writer.textId();
      if (writer.textHere()) this.spanTags.add(key, AttributeType.string, writer.valueTextId());
    }
  }

  private annotation(): void {
    const { reader, writer } = this;
    let name = 0;
    this.eventTime.fill(0);
    if (!writer.objectHere()) return;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.timestamp) writer.time(this.eventTime, 0, 3);
      else if (key === Key.value) name = writer.stringId();
      else reader.skipValue();
    }
    this.into.addEvent(this.eventTime[0]!, this.eventTime[1]!, name);
  }

  private endpoint(out: Endpoint): void {
    const { reader, writer } = this;
    clearEndpoint(out);
    if (!writer.objectHere()) return;
    let ipv4 = 0;
    let ipv6 = 0;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.serviceName) out.service = writer.stringId();
      else if (key === Key.ipv4) ipv4 = writer.stringId();
      else if (key === Key.ipv6) ipv6 = writer.stringId();
      else if (key === Key.port) out.port = writer.double() ?? 0;
      else reader.skipValue();
    }
    out.ip = ipv4 === 0 ? ipv6 : ipv4;
  }

  private resource(): number {
    const { resources, local, ids } = this;
    resources.clear();
    if (local.service !== 0) resources.add(ids.serviceName, AttributeType.string, local.service);
    if (local.ip !== 0) resources.add(ids.hostIp, AttributeType.string, local.ip);
    return resources.close();
  }

  private addRemote(isClient: boolean): void {
    const { into, remote, ids } = this;
    if (remote.service !== 0) into.attributes.add(ids.peerService, AttributeType.string, remote.service);
    if (!isClient) return;
    if (remote.ip !== 0) into.attributes.add(ids.serverAddress, AttributeType.string, remote.ip);
    if (remote.port !== 0) into.attributes.add(ids.serverPort, AttributeType.number, remote.port);
  }

  /** A hex id of up to `words` words; null and the empty text are none. */
  private id(out: Uint32Array, at: number, words: number, reason: "trace-id-invalid" | "span-id-invalid"): void {
    const { reader, writer } = this;
    reader.kind();
    const from = reader.position;
    if (!writer.textHere() || reader.textStart === reader.textEnd) return;
    if (!readHexId(reader.text, reader.textStart, reader.textEnd, out, at, words)) writer.fault(reason, from);
  }
}

function clearEndpoint(endpoint: Endpoint): void {
  endpoint.service = endpoint.ip = endpoint.port = 0;
}
