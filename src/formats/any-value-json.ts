import type { ProtobufReader } from "./protobuf-reader.ts";

/** AnyValue fields; ArrayValue and KeyValueList hold theirs in field 1. */
const STRING = 0x0a;
const BOOL = 0x10;
const INT = 0x18;
const DOUBLE = 0x21;
export const ARRAY = 0x2a;
export const KVLIST = 0x32;
export const BYTES = 0x3a;

/** Values nested deeper are written as null. */
const MAX_DEPTH = 64;

/** JSON text of a value, and whether something was left out of it. */
export interface ValueText {
  readonly text: string;
  readonly cut: boolean;
}

/**
 * JSON text of the AnyValue of field `tag` (ARRAY, KVLIST or BYTES) whose payload
 * is `[start, end)`: arrays and objects as such, bytes as base64 strings, 64-bit
 * integers exactly, NaN and infinities as strings. Ends after `limit` characters
 * and leaves out what is nested deeper than 64 levels; both are told in `cut`.
 */
export function anyValueJson(
  reader: ProtobufReader,
  tag: number,
  start: number,
  end: number,
  limit: number,
): ValueText {
  const writer = new ValueWriter(reader, limit);
  writer.value(tag, start, end, 0);
  return { text: writer.text.slice(0, limit), cut: writer.cut || writer.text.length > limit };
}

class ValueWriter {
  text = "";
  cut = false;
  private readonly reader: ProtobufReader;
  private readonly limit: number;

  constructor(reader: ProtobufReader, limit: number) {
    this.reader = reader;
    this.limit = limit;
  }

  /** Recursion ends at MAX_DEPTH levels. */
  value(tag: number, start: number, end: number, depth: number): void {
    if (this.text.length > this.limit) return;
    const { bytes, words } = this.reader;
    switch (tag) {
      case STRING:
        this.string(start, end);
        break;
      case BOOL:
        this.text += this.reader.varint(start, end) !== 0;
        break;
      case INT: {
        this.reader.varint(start, end);
        this.text += BigInt.asIntN(64, (BigInt(this.reader.high) << 32n) | BigInt(this.reader.low));
        break;
      }
      case DOUBLE: {
        const number = words.getFloat64(start, true);
        this.text += Number.isFinite(number) ? String(number) : `"${number}"`;
        break;
      }
      case BYTES:
        this.text += `"${Buffer.from(bytes.buffer, bytes.byteOffset + start, this.clip(start, end) - start).toString("base64")}"`;
        break;
      case ARRAY:
      case KVLIST:
        if (depth >= MAX_DEPTH) {
          this.cut = true;
          this.text += "null";
        } else this.elements(tag, start, end, depth);
        break;
      default:
        this.text += "null";
    }
  }

  private elements(tag: number, start: number, end: number, depth: number): void {
    const reader = this.reader;
    this.text += tag === ARRAY ? "[" : "{";
    let first = true;
    for (let at = start; at < end && this.text.length <= this.limit;) {
      const inner = reader.tag(at, end);
      if (inner !== 0x0a) {
        at = reader.skip(inner, reader.at, end);
        continue;
      }
      const valueEnd = reader.valueEnd(reader.at, end);
      if (!first) this.text += ",";
      first = false;
      if (tag === ARRAY) this.anyValue(reader.at, valueEnd, depth);
      else this.keyValue(reader.at, valueEnd, depth);
      at = valueEnd;
    }
    this.text += tag === ARRAY ? "]" : "}";
  }

  /** An AnyValue message: its last field counts. */
  private anyValue(start: number, end: number, depth: number): void {
    const reader = this.reader;
    let [tag, from, to] = [0, start, start];
    for (let at = start; at < end;) {
      const inner = reader.tag(at, end);
      const behindTag = reader.at;
      at = reader.skip(inner, behindTag, end);
      if (!isAnyValueField(inner)) continue;
      tag = inner;
      from = (inner & 7) === 2 ? (reader.valueEnd(behindTag, end), reader.at) : behindTag;
      to = at;
    }
    this.value(tag, from, to, depth + 1);
  }

  private keyValue(start: number, end: number, depth: number): void {
    const reader = this.reader;
    let [key, keyEnd, value, valueEnd] = [start, start, start, start];
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      const behindTag = reader.at;
      at = reader.skip(tag, behindTag, end);
      if (tag !== 0x0a && tag !== 0x12) continue;
      reader.valueEnd(behindTag, end);
      if (tag === 0x0a) [key, keyEnd] = [reader.at, at];
      else [value, valueEnd] = [reader.at, at];
    }
    this.string(key, keyEnd);
    this.text += ":";
    this.anyValue(value, valueEnd, depth);
  }

  private string(start: number, end: number): void {
    const { bytes } = this.reader;
    const utf8 = Buffer.from(bytes.buffer, bytes.byteOffset + start, this.clip(start, end) - start);
    this.text += JSON.stringify(utf8.toString("utf8"));
  }

  private clip(start: number, end: number): number {
    if (end - start <= this.limit) return end;
    this.cut = true;
    return start + this.limit;
  }
}

export function isAnyValueField(tag: number): boolean {
  return (
    tag === STRING || tag === BOOL || tag === INT || tag === DOUBLE || tag === ARRAY || tag === KVLIST || tag === BYTES
  );
}
