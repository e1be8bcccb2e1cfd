import { type AttributeSink, AttributeType } from "../model/attribute-table.ts";
import type { Intake } from "../model/intake.ts";
import { isUtf8, type StringPool } from "../model/string-pool.ts";
import { ARRAY, anyValueJson, BYTES, isAnyValueField, KVLIST } from "./any-value-json.ts";
import { MessageMemo } from "./message-memo.ts";
import { type ProtobufReader, Wire } from "./protobuf-reader.ts";

/** Strings longer than this many bytes are cut and counted. */
export const MAX_VALUE_BYTES: number = 64 * 1024;

/** Rows of predictions: one for each of 64 groups of owners, and the positions of attributes in it. */
const GROUPS = 64;
const POSITIONS = 32;
const SLOTS = GROUPS * POSITIONS;

/**
 * Reads OTLP's KeyValue messages into attribute rows.
 *
 * Most messages have come before, byte by byte, and their meaning is known by one
 * look-up (MessageMemo). Numbers come in too many values for that; but owners of one kind
 * (spans of one name, say) carry the same keys in the same order, so each position
 * of each group remembers its last key and whether a number followed. What is neither
 * is parsed and interned. docs/adr/0009-otlp-decoder-speed.md has what each of these gave.
 *
 *   message KeyValue     { string key = 1; AnyValue value = 2; }
 *   message AnyValue     { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3;
 *                          double double_value = 4; ArrayValue array_value = 5; KeyValueList kvlist_value = 6;
 *                          bytes bytes_value = 7; } }
 *   message ArrayValue   { repeated AnyValue values = 1; }
 *   message KeyValueList { repeated KeyValue values = 1; }
 */
export class KeyValueReader {
  private readonly reader: ProtobufReader;
  private readonly strings: StringPool;
  private readonly intake: Intake;

  private readonly keys = new Int32Array(SLOTS);
  /** 1 where the slot's last value that had to be read was a number or boolean. */
  private readonly numeric = new Uint8Array(SLOTS);
  private readonly memo = new MessageMemo();
  /** Slot of the next attribute, and the last of its group. */
  private slot = 0;
  private lastSlot = POSITIONS - 1;

  /** Strings below this id are known to be counted if they are not UTF-8. */
  private checkedStrings = 0;
  /** The value read last by `anyValue`. */
  private valueType: AttributeType = AttributeType.string;
  private value = 0;

  constructor(reader: ProtobufReader, strings: StringPool, intake: Intake) {
    this.reader = reader;
    this.strings = strings;
    this.intake = intake;
  }

  /** To be called before reading when others may have added to the pool. */
  begin(): void {
    this.checkedStrings = this.strings.size;
  }

  /** The next attributes are those of an owner of this group, any number. */
  useGroup(group: number): void {
    this.slot = (group & (GROUPS - 1)) * POSITIONS;
    this.lastSlot = this.slot + POSITIONS - 1;
  }

  /** Adds the fields `tag` (of one byte) that follow one another from `at` on; returns the position behind them. */
  addRun(list: AttributeSink, tag: number, at: number, end: number): number {
    const reader = this.reader;
    const bytes = reader.bytes;
    while (at < end && bytes[at] === tag) {
      let start = at + 2;
      at = start <= end && bytes[at + 1]! < 0x80 ? start + bytes[at + 1]! : end + 1;
      if (at > end) {
        // Longer than 127 bytes, or damaged.
        at = reader.valueEnd(start - 1, end);
        start = reader.at;
      }
      this.add(list, start, at);
    }
    return at;
  }

  /** Adds the KeyValue in `[start, end)` to a list. */
  add(list: AttributeSink, start: number, end: number): void {
    const slot = this.slot;
    if (slot < this.lastSlot) this.slot = slot + 1;
    if (this.numeric[slot] === 1 && this.readNumber(start, end, slot)) {
      list.add(this.keys[slot]!, this.valueType, this.value);
      return;
    }
    const memo = this.memo;
    const words = this.reader.words;
    const entry = memo.find(words, start, end);
    if (entry > 0) {
      list.add(memo.key(entry), memo.type(entry), memo.value(entry));
      return;
    }
    const key = this.isUsualText(start, end) ? this.readText(start, end, slot) : this.readAny(start, end, slot);
    list.add(key, this.valueType, this.value);
    this.numeric[slot] = this.valueType === AttributeType.number || this.valueType === AttributeType.boolean ? 1 : 0;
    memo.note(words, start, end, key, this.valueType, this.value);
  }

  /** Whether the message is the slot's last key and one number or boolean, written as usual; then it is read. */
  private readNumber(start: number, end: number, slot: number): boolean {
    const { bytes, words } = this.reader;
    if (end - start < 6 || bytes[start] !== 0x0a || bytes[start + 1]! >= 0x80) return false;
    const keyEnd = start + 2 + bytes[start + 1]!;
    const value = keyEnd + 2;
    const size = end - value - 1;
    if (size < 1 || size > 10 || bytes[keyEnd] !== 0x12 || bytes[keyEnd + 1]! !== size + 1) return false;
    if (!this.strings.equalsBytes(this.keys[slot]!, bytes, start + 2, keyEnd)) return false;
    const tag = bytes[value]!;
    const first = bytes[value + 1]!;
    this.valueType = AttributeType.number;
    if (tag === 0x18) {
      if (size === 1 && first < 0x80) this.value = first;
      else if (size === 2 && first >= 0x80 && bytes[value + 2]! < 0x80)
        this.value = (first & 0x7f) | (bytes[value + 2]! << 7);
      else return false;
      return true;
    }
    if (tag === 0x21 && size === 8) {
      this.value = words.getFloat64(value + 1, true);
      return true;
    }
    this.valueType = AttributeType.boolean;
    this.value = first;
    return tag === 0x10 && size === 1 && first < 2;
  }

  /** Whether the message is a key and a text of less than 128 bytes each, written as all encoders do. */
  private isUsualText(start: number, end: number): boolean {
    const bytes = this.reader.bytes;
    if (end - start < 6 || bytes[start] !== 0x0a || bytes[start + 1]! >= 0x80) return false;
    const value = start + 4 + bytes[start + 1]!;
    if (value + 2 > end || bytes[value - 2] !== 0x12 || bytes[value] !== 0x0a) return false;
    return bytes[value - 1] === end - value && end - value < 0x80 && bytes[value + 1] === end - value - 2;
  }

  private readText(start: number, end: number, slot: number): number {
    const keyEnd = start + 2 + this.reader.bytes[start + 1]!;
    const key = this.key(slot, start + 2, keyEnd);
    this.valueType = AttributeType.string;
    this.value = this.intern(keyEnd + 4, end);
    return key;
  }

  /** Reads any layout: fields in any order, repeated, or missing; returns the key. */
  private readAny(start: number, end: number, slot: number): number {
    const reader = this.reader;
    let key = 0;
    let value = start;
    let valueEnd = start;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      if (tag === 0x0a) {
        at = reader.valueEnd(reader.at, end);
        key = this.key(slot, reader.at, at);
      } else if (tag === 0x12) {
        at = reader.valueEnd(reader.at, end);
        value = reader.at;
        valueEnd = at;
      } else {
        at = reader.skip(tag, reader.at, end);
      }
    }
    this.anyValue(value, valueEnd);
    return key;
  }

  /** Reads an AnyValue into `valueType` and `value`: its last field counts, none is JSON null. */
  private anyValue(start: number, end: number): void {
    const reader = this.reader;
    let last = 0;
    let from = start;
    let to = start;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      const behindTag = reader.at;
      at = reader.skip(tag, behindTag, end);
      if (!isAnyValueField(tag)) continue;
      last = tag;
      from = behindTag;
      if ((tag & 7) === Wire.bytes) {
        reader.valueEnd(behindTag, end);
        from = reader.at;
      }
      to = at;
    }
    this.valueType = AttributeType.number;
    switch (last) {
      case 0x0a:
        this.valueType = AttributeType.string;
        this.value = this.intern(from, to);
        break;
      case 0x10:
        this.valueType = AttributeType.boolean;
        this.value = reader.varint(from, to) === 0 ? 0 : 1;
        break;
      case 0x18:
        reader.varint(from, to);
        this.value = (reader.high | 0) * 2 ** 32 + reader.low;
        break;
      case 0x21:
        this.value = reader.words.getFloat64(from, true);
        break;
      case ARRAY:
      case KVLIST:
      case BYTES: {
        const json = anyValueJson(reader, last, from, to, MAX_VALUE_BYTES);
        if (json.cut) this.intake.truncatedValues++;
        this.valueType = AttributeType.json;
        this.value = this.strings.intern(json.text);
        break;
      }
      default:
        this.valueType = AttributeType.json;
        this.value = this.strings.intern("null");
    }
  }

  private key(slot: number, start: number, end: number): number {
    const predicted = this.keys[slot]!;
    if (this.strings.equalsBytes(predicted, this.reader.bytes, start, end)) return predicted;
    return (this.keys[slot] = this.intern(start, end));
  }

  /** Id of a string of the message; counts it when it is cut, or new and not UTF-8. */
  intern(start: number, end: number): number {
    const bytes = this.reader.bytes;
    if (end - start > MAX_VALUE_BYTES) {
      end = start + MAX_VALUE_BYTES;
      // Back to the start of a character, which is at most 3 bytes away.
      for (let back = 0; back < 3 && (bytes[end]! & 0xc0) === 0x80; back++) end--;
      this.intake.truncatedValues++;
    }
    const id = this.strings.internBytes(bytes, start, end);
    if (id >= this.checkedStrings && id > 0) {
      this.checkedStrings = id + 1;
      if (!isUtf8(bytes, start, end)) this.intake.invalidUtf8++;
    }
    return id;
  }
}
