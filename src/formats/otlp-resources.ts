import type { AttributeSink } from "../model/attribute-table.ts";
import { InputError } from "../model/intake.ts";
import { StringPool } from "../model/string-pool.ts";
import type { KeyValueReader } from "./otlp-key-values.ts";
import type { ProtobufReader } from "./protobuf-reader.ts";

/** Group of a resource's attributes for KeyValueReader. */
const RESOURCE_GROUP = 2;

/**
 * Resources of ResourceSpans or ResourceMetrics, each kept once: known again by the bytes of its message.
 *
 *   message ResourceSpans { Resource resource = 1; ... }
 *   message Resource      { repeated KeyValue attributes = 1; - uint32 dropped_attributes_count = 2; }
 */
export class OtlpResources {
  private readonly reader: ProtobufReader;
  private readonly keyValues: KeyValueReader;
  private readonly list: AttributeSink;
  private readonly close: () => number;
  private readonly messages = new StringPool();
  /** number of the list, by message */
  private readonly known: number[] = [];

  /** `close` ends the list that was added to `list`, and returns its number. */
  constructor(reader: ProtobufReader, keyValues: KeyValueReader, list: AttributeSink, close: () => number) {
    this.reader = reader;
    this.keyValues = keyValues;
    this.list = list;
    this.close = close;
  }

  /**
   * The list of the resource of the message in `[start, end)`, which may stand behind its spans or metrics. Looks only as
   * far as the message is sound: what is wrong is told when it is decoded.
   */
  find(start: number, end: number): number {
    const { reader } = this;
    const found: number[] = [];
    try {
      for (let at = start; at < end;) {
        const tag = reader.tag(at, end);
        const behindTag = reader.at;
        at = reader.skip(tag, behindTag, end);
        if (tag !== 0x0a) continue;
        reader.valueEnd(behindTag, end);
        found.push(reader.at, at);
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      // The decoder meets the same error, after what stands before it.
    }
    if (found.length !== 2) return this.read(found);
    const id = this.messages.internBytes(reader.bytes, found[0]!, found[1]!);
    return (this.known[id] ??= this.read(found));
  }

  /** A new list of the attributes of the messages `[start, end, start, end, ...]`, which protobuf merges. */
  private read(messages: readonly number[]): number {
    const { reader, keyValues } = this;
    keyValues.useGroup(RESOURCE_GROUP);
    for (let i = 0; i < messages.length; i += 2) {
      const end = messages[i + 1]!;
      for (let at = messages[i]!; at < end;) {
        const tag = reader.tag(at, end);
        if (tag === 0x0a) {
          at = reader.valueEnd(reader.at, end);
          keyValues.add(this.list, reader.at, at);
        } else {
          at = reader.skip(tag, reader.at, end);
        }
      }
    }
    return this.close();
  }
}
