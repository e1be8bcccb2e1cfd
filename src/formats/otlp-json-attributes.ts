import { type AttributeSink, AttributeType } from "../model/attribute-table.ts";
import { END_OF_OBJECT, type JsonReader } from "./json-reader.ts";
import { camelAndSnake, JsonKeys } from "./json-keys.ts";
import { type JsonItemReader, MAX_VALUE_BYTES } from "./json-item-reader.ts";

const Key = {
  key: 0,
  value: 1,
  stringValue: 2,
  boolValue: 3,
  intValue: 4,
  doubleValue: 5,
  arrayValue: 6,
  kvlistValue: 7,
  bytesValue: 8,
  values: 9,
} as const;
const KEYS = new JsonKeys(camelAndSnake(Key));

/** Deeper values of an attribute are written as null, as the protobuf decoder does. */
const MAX_DEPTH = 64;

/**
 * Slots of the memory below; powers of two. A recording has some hundred attribute
 * shapes; a document of one span has no use for them, and pays for each.
 */
const MOST_SLOTS = 1024;
const FEWEST_SLOTS = 32;
const BYTES_PER_SLOT = 256;
/** Fields of a slot. */
const START = 0;
const LENGTH = 1;
const PREFIX = 2;
const KEY_ID = 3;
const FIELD = 4;
const TYPE = 5;
const VALUE = 6;
const FIELDS = 7;

/** No value: `{}`, null, or one that made a fault. */
const NO_VALUE = -1;

/**
 * Reads lists of OTLP KeyValues, `[{"key": "http.method", "value": {"stringValue": "GET"}}, ...]`.
 *
 * Spans of one instrumentation repeat the same attributes in the same order. So
 * each one remembers where, after the same predecessor, one stood last and what it
 * meant. If the bytes here equal those up to the value, key and type are known and
 * only the value is read; if they equal them to the end, the value is known too.
 * Equal bytes after the same grammar state parse equally, so nothing is guessed.
 * That is most of the speed of this decoder (bench/json-decode.ts).
 */
export class OtlpJsonAttributes {
  private readonly writer: JsonItemReader;
  private readonly reader: JsonReader;
  private readonly words: DataView;
  private readonly memory: Int32Array;
  private readonly slotMask: number;

  /** The KeyValue being read. */
  private key = 0;
  private keysSeen = 0;
  private type = NO_VALUE;
  private value = 0;
  private field = 0;
  /** Where the value's token begins; -1 before it, -2 when the KeyValue is too odd to remember. */
  private tokenAt = -1;

  constructor(writer: JsonItemReader) {
    this.writer = writer;
    this.reader = writer.reader;
    const { buffer, byteOffset, byteLength } = writer.reader.bytes;
    this.words = new DataView(buffer, byteOffset, byteLength);
    let slots = FEWEST_SLOTS;
    while (slots < MOST_SLOTS && slots * BYTES_PER_SLOT < byteLength) slots *= 2;
    this.memory = new Int32Array(slots * FIELDS);
    this.slotMask = slots - 1;
  }

  /** Adds the list here to `sink`. `context`: any number that is the same for lists of the same shape. */
  readList(sink: AttributeSink, context: number): void {
    if (!this.writer.arrayHere()) return;
    let slot = (Math.imul(context, 0x9e3779b1) >>> 16) & this.slotMask;
    while (this.reader.nextElement()) {
      this.readKeyValue(slot);
      if (this.type !== NO_VALUE) sink.add(this.key, this.type as AttributeType, this.value);
      slot = (Math.imul(slot, 31) + this.key + 1) & this.slotMask;
    }
  }

  private readKeyValue(slot: number): void {
    const { reader, memory, writer } = this;
    reader.kind();
    const at = reader.position;
    const held = slot * FIELDS;
    const replaced = writer.intake.invalidUtf8 + writer.intake.truncatedValues;
    const length = memory[held + LENGTH]!;
    const same = length === 0 ? 0 : sameLength(reader.bytes, this.words, memory[held + START]!, at, length);
    if (length > 0 && same === length) {
      this.key = memory[held + KEY_ID]!;
      this.type = memory[held + TYPE]!;
      this.value = memory[held + VALUE]!;
      reader.position = at + length;
      return;
    }
    this.keysSeen = 0;
    this.type = NO_VALUE;
    this.tokenAt = -1;
    if (length > 0 && same >= memory[held + PREFIX]!) {
      this.key = memory[held + KEY_ID]!;
      this.keysSeen = 1;
      reader.position = at + memory[held + PREFIX]!;
      this.readField(memory[held + FIELD]!);
      this.readValueRest();
      this.readKeyValueRest();
    } else {
      this.key = 0;
      if (!writer.objectHere()) return;
      this.readKeyValueRest();
    }
    const isWhole = this.tokenAt >= 0 && this.keysSeen === 1 && this.type !== NO_VALUE;
    if (!isWhole || replaced !== writer.intake.invalidUtf8 + writer.intake.truncatedValues) return;
    memory[held + START] = at;
    memory[held + LENGTH] = reader.position - at;
    memory[held + PREFIX] = this.tokenAt - at;
    memory[held + KEY_ID] = this.key;
    memory[held + FIELD] = this.field;
    memory[held + TYPE] = this.type;
    memory[held + VALUE] = this.value;
  }

  /** The keys of a KeyValue, up to its end. */
  private readKeyValueRest(): void {
    const { reader } = this;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.key) {
        this.key = this.writer.stringId();
        this.keysSeen++;
      } else if (key === Key.value) {
        this.type = NO_VALUE;
        if (this.writer.objectHere()) this.readValueRest();
      } else reader.skipValue();
    }
  }

  /** The fields of an AnyValue, up to its end; the last one counts. */
  private readValueRest(): void {
    const { reader } = this;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key >= Key.stringValue && key <= Key.bytesValue) this.readField(key);
      else reader.skipValue();
    }
  }

  private readField(field: number): void {
    const { reader, writer } = this;
    reader.kind();
    this.tokenAt = this.tokenAt === -1 && this.keysSeen === 1 ? reader.position : -2;
    this.field = field;
    this.type = NO_VALUE;
    switch (field) {
      case Key.stringValue:
        if (writer.textHere()) this.setValue(AttributeType.string, writer.valueTextId());
        break;
      case Key.intValue:
      case Key.doubleValue: {
        const number = writer.double();
        if (number !== undefined) this.setValue(AttributeType.number, number);
        break;
      }
      case Key.boolValue: {
        const bool = writer.boolean();
        if (bool !== undefined) this.setValue(AttributeType.boolean, bool ? 1 : 0);
        break;
      }
      default: {
        const text = new ValueText(writer);
        if (text.readField(field, 0)) {
          this.setValue(AttributeType.json, writer.valueStringId(text.text, text.cut));
        }
      }
    }
  }

  private setValue(type: AttributeType, value: number): void {
    this.type = type;
    this.value = value;
    // The memory holds 32-bit integers: other numbers are read again each time.
    if (type === AttributeType.number && (value | 0) !== value) this.tokenAt = -2;
  }
}

/** Number of equal bytes at `a` and `b`, at most `length`. Four at a time, which is most of the work here. */
function sameLength(bytes: Uint8Array, words: DataView, a: number, b: number, length: number): number {
  const most = Math.min(length, bytes.length - b);
  let i = 0;
  while (i + 4 <= most && words.getInt32(a + i) === words.getInt32(b + i)) i += 4;
  while (i < most && bytes[a + i] === bytes[b + i]) i++;
  return i;
}

/**
 * JSON text of arrays, maps and bytes of OTLP's typed JSON: `{"values": [{"intValue": "1"}]}`
 * becomes `[1]`; bytes stay base64 strings, 64-bit integers exact.
 */
class ValueText {
  text = "";
  cut = false;
  private readonly writer: JsonItemReader;
  private readonly reader: JsonReader;

  constructor(writer: JsonItemReader) {
    this.writer = writer;
    this.reader = writer.reader;
  }

  /** Appends the value of an AnyValue's field. False when it is null or made a fault. Recursion ends at MAX_DEPTH. */
  readField(field: number, depth: number): boolean {
    const { writer, reader } = this;
    switch (field) {
      case Key.arrayValue:
      case Key.kvlistValue:
        if (!writer.objectHere()) return false;
        this.readElements(field === Key.kvlistValue, depth);
        return true;
      case Key.stringValue:
      case Key.bytesValue:
        if (!writer.textHere()) return false;
        this.append(JSON.stringify(this.readerText()));
        return true;
      case Key.boolValue: {
        const bool = writer.boolean();
        this.append(String(bool ?? null));
        return bool !== undefined;
      }
      default: {
        reader.kind();
        const start = reader.position;
        const number = writer.double();
        if (number === undefined) return false;
        const source = reader.sourceText(start, reader.position).replaceAll('"', "");
        if (field === Key.intValue && /^-?\d+$/.test(source)) this.append(source);
        else this.append(Number.isFinite(number) ? String(number) : `"${number}"`);
        return true;
      }
    }
  }

  /** The `values` of an ArrayValue or KeyValueList. */
  private readElements(isMap: boolean, depth: number): void {
    const { writer, reader } = this;
    this.append(isMap ? "{" : "[");
    let first = true;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key !== Key.values) {
        reader.skipValue();
        continue;
      }
      if (!writer.arrayHere()) continue;
      while (reader.nextElement()) {
        if (!first) this.append(",");
        first = false;
        if (isMap) this.readPair(depth);
        else this.readAnyValue(depth);
      }
    }
    this.append(isMap ? "}" : "]");
  }

  /** A KeyValue as `"key":value`; the two may stand in any order. */
  private readPair(depth: number): void {
    const { writer, reader } = this;
    let name = "";
    let value = "null";
    const before = this.text;
    if (writer.objectHere()) {
      for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
        if (key === Key.key) {
          if (writer.textHere()) name = this.readerText();
        } else if (key === Key.value) {
          this.text = "";
          this.readAnyValue(depth);
          value = this.text;
        } else reader.skipValue();
      }
    }
    this.text = before;
    this.append(`${JSON.stringify(name)}:${value}`);
  }

  private readAnyValue(depth: number): void {
    const { writer, reader } = this;
    if (depth + 1 >= MAX_DEPTH) {
      reader.skipValue();
      this.append("null");
      this.cut = true;
      return;
    }
    const before = this.text;
    let value = "null";
    if (writer.objectHere()) {
      for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
        if (key < Key.stringValue || key > Key.bytesValue) {
          reader.skipValue();
          continue;
        }
        this.text = "";
        value = this.readField(key, depth + 1) ? this.text : "null";
      }
    }
    this.text = before;
    this.append(value);
  }

  /** Behind the limit only `cut` is noted: the text is not longer than what is kept, plus one part. */
  private append(part: string): void {
    if (this.text.length > MAX_VALUE_BYTES) this.cut = true;
    else this.text += part;
  }

  private readerText(): string {
    const { text, textStart } = this.reader;
    let { textEnd } = this.reader;
    if (textEnd - textStart > MAX_VALUE_BYTES) {
      textEnd = textStart + MAX_VALUE_BYTES;
      this.cut = true;
    }
    return Buffer.from(text.buffer, text.byteOffset + textStart, textEnd - textStart).toString("utf8");
  }
}
