import { type AttributeTableBuilder, AttributeType } from "../model/attribute-table.ts";
import type { Intake } from "../model/intake.ts";
import { isUtf8, type StringPool } from "../model/string-pool.ts";
import { ARRAY, anyValueJson, BYTES, isAnyValueField, KVLIST } from "./any-value-json.ts";
import { type ProtobufReader, Wire } from "./protobuf-reader.ts";

/** Strings longer than this many bytes are cut and counted. */
export const MAX_VALUE_BYTES: number = 64 * 1024;

/** Rows of predictions: one for each of 64 groups of owners, and the positions of attributes in it. */
const GROUPS = 64;
const POSITIONS = 32;
const SLOTS = GROUPS * POSITIONS;
/** Longer messages are not remembered as a whole. */
const MEMO_BYTES = 128;
const MEMO_WORDS = MEMO_BYTES / 4;

/**
 * Reads OTLP's KeyValue messages into attribute rows.
 *
 * Owners of one kind (spans of one name, say) carry the same keys in the same order,
 * and often the same values. So each position of each group remembers a message that
 * came twice in a row, its last key and its last two string values, and compares with
 * those, in this order, before it hashes. What costs here are mispredicted ends of short
 * loops rather than bytes: the first comparison is one loop in place of two to four
 * and gave 13 % of the whole decoder (bench/otlp-decode.ts).
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
  private readonly values = new Int32Array(SLOTS);
  private readonly olderValues = new Int32Array(SLOTS);
  /** A message that came twice in a row: its words, the last four bytes (which overlap), its length, and its meaning. */
  private readonly memo = new Int32Array(SLOTS * MEMO_WORDS);
  private readonly memoLast = new Int32Array(SLOTS);
  private readonly memoLength = new Int32Array(SLOTS).fill(-1);
  private readonly memoKey = new Int32Array(SLOTS);
  private readonly memoType = new Uint8Array(SLOTS);
  private readonly memoValue = new Float64Array(SLOTS);
  /** The value that stood in the slot last, whatever its type: only a hint. */
  private readonly lastValue = new Float64Array(SLOTS);
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

  /**
   * Adds the KeyValue in `[start, end)` to a list. All encoders write the key, then
   * a value with one field, mostly below 128 bytes: that layout is read without loops.
   */
  add(list: AttributeTableBuilder, start: number, end: number): void {
    const reader = this.reader;
    const bytes = reader.bytes;
    const slot = this.slot;
    if (slot < this.lastSlot) this.slot = slot + 1;
    if (end - start === this.memoLength[slot] && this.matchesMemo(start, end, slot)) {
      list.add(this.memoKey[slot]!, this.memoType[slot] as AttributeType, this.memoValue[slot]!);
      return;
    }
    if (end - start < 6 || bytes[start] !== 0x0a || bytes[start + 1]! >= 0x80) {
      this.addAny(list, start, end, slot);
      return;
    }
    const keyEnd = start + 2 + bytes[start + 1]!;
    const value = keyEnd + 2;
    if (value + 2 > end || bytes[keyEnd] !== 0x12 || bytes[keyEnd + 1]! !== end - value || end - value >= 0x80) {
      this.addAny(list, start, end, slot);
      return;
    }
    const key = this.key(slot, start + 2, keyEnd);
    const tag = bytes[value]!;
    const first = bytes[value + 1]!;
    if (tag === 0x0a && first === end - value - 2) {
      this.valueType = AttributeType.string;
      this.value = this.text(slot, value + 2, end);
    } else if (tag === 0x18 && value + 2 === end && first < 0x80) {
      this.valueType = AttributeType.number;
      this.value = first;
    } else if (tag === 0x18 && value + 3 === end && first >= 0x80 && bytes[value + 2]! < 0x80) {
      this.valueType = AttributeType.number;
      this.value = (first & 0x7f) | (bytes[value + 2]! << 7);
    } else if (tag === 0x21 && value + 9 === end) {
      this.valueType = AttributeType.number;
      this.value = reader.words.getFloat64(value + 1, true);
    } else {
      this.anyValue(value, end, slot);
    }
    list.add(key, this.valueType, this.value);
    // Only what comes twice is worth the copy.
    if (this.value === this.lastValue[slot] && end - start <= MEMO_BYTES) this.remember(start, end, slot, key);
    this.lastValue[slot] = this.value;
  }

  private matchesMemo(start: number, end: number, slot: number): boolean {
    const words = this.reader.words;
    const memo = this.memo;
    if (words.getInt32(end - 4) !== this.memoLast[slot]) return false;
    for (let at = start, word = slot * MEMO_WORDS; at < end - 4; at += 4) {
      if (words.getInt32(at) !== memo[word++]) return false;
    }
    return true;
  }

  private remember(start: number, end: number, slot: number, key: number): void {
    const words = this.reader.words;
    for (let at = start, word = slot * MEMO_WORDS; at < end - 4; at += 4) this.memo[word++] = words.getInt32(at);
    this.memoLast[slot] = words.getInt32(end - 4);
    this.memoLength[slot] = end - start;
    this.memoKey[slot] = key;
    this.memoType[slot] = this.valueType;
    this.memoValue[slot] = this.value;
  }

  /** The same for any layout: fields in any order, repeated, or missing. */
  private addAny(list: AttributeTableBuilder, start: number, end: number, slot: number): void {
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
    this.anyValue(value, valueEnd, slot);
    list.add(key, this.valueType, this.value);
  }

  /** Reads an AnyValue into `valueType` and `value`: its last field counts, none is JSON null. */
  private anyValue(start: number, end: number, slot: number): void {
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
        this.value = this.text(slot, from, to);
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

  private text(slot: number, start: number, end: number): number {
    const bytes = this.reader.bytes;
    const last = this.values[slot]!;
    if (this.strings.equalsBytes(last, bytes, start, end)) return last;
    const older = this.olderValues[slot]!;
    this.olderValues[slot] = last;
    const id = this.strings.equalsBytes(older, bytes, start, end) ? older : this.intern(start, end);
    this.values[slot] = id;
    return id;
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
