import type { StringPool } from "../../model/string-pool.ts";

/** Arrays of all rows, one behind the other. */
export interface Arrays<Items> {
  /** end of each row's items */
  readonly ends: Int32Array;
  /** longer than `count` where there is room for more */
  items: Items;
  count: number;
}

const TWO_32 = 2 ** 32;

/** SerializationLowCardinality's flags: a block has a dictionary of its own, which is new. */
const OWN_KEYS = 0x200 | 0x400;

/**
 * Writes one block of ClickHouse's Native format as it is without a protocol version (HTTP): number of columns and
 * of rows as LEB128, then per column its name, its type and its values, all little-endian.
 *
 *   String                    length as LEB128, bytes
 *   Array(T)                  end of each row's items as UInt64, then the items
 *   LowCardinality(String)    1 as UInt64; then, if there are values: index width and flags, number of keys, keys,
 *                             number of values, indices into the keys; key 0 is ""
 * In Array(LowCardinality(String)) the leading 1 stands before the ends.
 */
export class NativeWriter {
  private bytes: Uint8Array;
  private view: DataView;
  private at = 0;
  private readonly rows: number;
  private readonly strings: StringPool;
  /** position + 1 of a string in the dictionary being written, 0 for none */
  private readonly keyOf: Int32Array;

  /** `memory`: bytes to write to; a larger array is made where they are too few. */
  constructor(columns: number, rows: number, strings: StringPool, memory: Uint8Array = new Uint8Array(1 << 16)) {
    this.bytes = memory;
    this.view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    this.rows = rows;
    this.strings = strings;
    this.keyOf = new Int32Array(strings.size);
    this.varint(columns);
    this.varint(rows);
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }

  /** Ids of `words` big-endian 32-bit words each, as FixedString: so that they sort as their hex does. */
  ids(name: string, column: Uint32Array, words: number): void {
    this.head(name, `FixedString(${4 * words})`);
    this.reserve(4 * column.length);
    const { view } = this;
    let { at } = this;
    for (let i = 0; i < column.length; i++, at += 4) view.setUint32(at, column[i]!);
    this.at = at;
  }

  bytesColumn(name: string, column: Uint8Array): void {
    this.head(name, "UInt8");
    this.reserve(column.length);
    this.bytes.set(column, this.at);
    this.at += column.length;
  }

  doubles(name: string, column: Float64Array): void {
    this.head(name, "Float64");
    this.doubleItems(column, column.length);
  }

  /** `base` plus whole nanoseconds each, exact; 1970 for NaN, as in OTLP for a time that was not said. */
  times(name: string, base: bigint, offsetsNs: Float64Array): void {
    this.head(name, "DateTime64(9, 'UTC')");
    const high = Number(BigInt.asIntN(64, base) >> 32n);
    const low = Number(base & 0xffff_ffffn);
    this.reserve(8 * offsetsNs.length);
    const { view } = this;
    let { at } = this;
    for (let i = 0; i < offsetsNs.length; i++, at += 8) {
      const offset = offsetsNs[i]!;
      const isSaid = !Number.isNaN(offset);
      const words = Math.floor(offset / TWO_32);
      const sum = low + (offset - words * TWO_32);
      const carry = sum >= TWO_32 ? 1 : 0;
      view.setUint32(at, isSaid ? sum - carry * TWO_32 : 0, true);
      view.setInt32(at + 4, isSaid ? high + words + carry : 0, true);
    }
    this.at = at;
  }

  /** `ends` minus `starts`: whole numbers of at most 53 bits. */
  differences(name: string, ends: Float64Array, starts: Float64Array): void {
    this.head(name, "Int64");
    this.reserve(8 * ends.length);
    const { view } = this;
    let { at } = this;
    for (let i = 0; i < ends.length; i++, at += 8) {
      const value = ends[i]! - starts[i]!;
      const words = Math.floor(value / TWO_32);
      view.setUint32(at, value - words * TWO_32, true);
      view.setInt32(at + 4, words, true);
    }
    this.at = at;
  }

  /** Those of `column` at `rows`. As words: a BigInt would be made of each number. */
  unsigned64(name: string, column: BigUint64Array, rows?: Int32Array): void {
    this.head(name, "UInt64");
    const count = rows?.length ?? column.length;
    this.reserve(8 * count);
    const words = new Uint32Array(column.buffer, column.byteOffset, 2 * column.length);
    const { view } = this;
    let { at } = this;
    for (let i = 0; i < count; i++, at += 8) {
      const row = rows === undefined ? i : rows[i]!;
      // The memory of columns is little-endian wherever Node and the engine run.
      view.setUint32(at, words[2 * row]!, true);
      view.setUint32(at + 4, words[2 * row + 1]!, true);
    }
    this.at = at;
  }

  integers32(name: string, column: Int32Array): void {
    this.head(name, "Int32");
    this.reserve(4 * column.length);
    for (let i = 0; i < column.length; i++, this.at += 4) this.view.setInt32(this.at, column[i]!, true);
  }

  /** LowCardinality(String) of string ids, or of those that `ids` has at the column's numbers. */
  dictionary(name: string, column: Int32Array, ids?: Int32Array): void {
    this.head(name, "LowCardinality(String)");
    this.word64(1);
    this.dictionaryItems(ids === undefined ? column : gathered(ids, column), column.length);
  }

  stringColumn(name: string, column: Int32Array): void {
    this.head(name, "String");
    for (let i = 0; i < column.length; i++) this.string(column[i]!);
  }

  /** String of a text per row. */
  rowTexts(name: string, texts: readonly Uint8Array[]): void {
    this.head(name, "String");
    for (const text of texts) this.text(text);
  }

  /** String of texts, most of which are empty. */
  texts(name: string, texts: ReadonlyMap<number, Uint8Array>): void {
    this.head(name, "String");
    for (let row = 0; row < this.rows; row++) {
      const text = texts.get(row);
      if (text === undefined) this.varint(0);
      else this.text(text);
    }
  }

  /** Array(LowCardinality(String)) of string ids. */
  dictionaryArrays(name: string, { ends, items, count }: Arrays<Int32Array>): void {
    this.head(name, "Array(LowCardinality(String))");
    this.word64(1);
    this.ends(ends);
    this.dictionaryItems(items, count);
  }

  stringArrays(name: string, { ends, items, count }: Arrays<Int32Array>): void {
    this.head(name, "Array(String)");
    this.ends(ends);
    for (let i = 0; i < count; i++) this.string(items[i]!);
  }

  doubleArrays(name: string, { ends, items, count }: Arrays<Float64Array>): void {
    this.head(name, "Array(Float64)");
    this.ends(ends);
    this.doubleItems(items, count);
  }

  private ends(ends: Int32Array): void {
    this.reserve(8 * ends.length);
    const { view } = this;
    for (let i = 0; i < ends.length; i++, this.at += 8) {
      view.setUint32(this.at, ends[i]!, true);
      view.setUint32(this.at + 4, 0, true);
    }
  }

  private doubleItems(items: Float64Array, count: number): void {
    this.reserve(8 * count);
    const { view } = this;
    for (let i = 0; i < count; i++, this.at += 8) view.setFloat64(this.at, items[i]!, true);
  }

  private dictionaryItems(items: Int32Array, count: number): void {
    if (count === 0) return;
    const { keyOf } = this;
    const keys: number[] = [0];
    keyOf[0] = 1;
    for (let i = 0; i < count; i++) {
      const id = items[i]!;
      if (keyOf[id] === 0) keyOf[id] = keys.push(id);
    }
    const width = keys.length <= 0x100 ? 0 : keys.length <= 0x1_0000 ? 1 : 2;
    this.word64(OWN_KEYS | width);
    this.word64(keys.length);
    for (const id of keys) this.string(id);
    this.word64(count);
    this.reserve(count << width);
    const { view } = this;
    let { at } = this;
    if (width === 0) for (let i = 0; i < count; i++) view.setUint8(at++, keyOf[items[i]!]! - 1);
    else if (width === 1) for (let i = 0; i < count; i++, at += 2) view.setUint16(at, keyOf[items[i]!]! - 1, true);
    else for (let i = 0; i < count; i++, at += 4) view.setUint32(at, keyOf[items[i]!]! - 1, true);
    this.at = at;
    for (const id of keys) keyOf[id] = 0;
  }

  private head(name: string, type: string): void {
    this.asciiText(name);
    this.asciiText(type);
  }

  private asciiText(text: string): void {
    this.reserve(text.length + 5);
    this.varint(text.length);
    for (let i = 0; i < text.length; i++) this.bytes[this.at++] = text.charCodeAt(i);
  }

  private string(id: number): void {
    const length = this.strings.lengthOf(id);
    this.reserve(length + 5);
    this.varint(length);
    this.at = this.strings.copyTo(id, this.bytes, this.at);
  }

  private text(text: Uint8Array): void {
    this.reserve(text.length + 5);
    this.varint(text.length);
    this.bytes.set(text, this.at);
    this.at += text.length;
  }

  private varint(value: number): void {
    this.reserve(5);
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) this.bytes[this.at++] = (rest & 0x7f) | 0x80;
    this.bytes[this.at++] = rest;
  }

  private word64(value: number): void {
    this.reserve(8);
    this.view.setUint32(this.at, value, true);
    this.view.setUint32(this.at + 4, 0, true);
    this.at += 8;
  }

  private reserve(need: number): void {
    if (this.at + need <= this.bytes.length) return;
    const bigger = new Uint8Array(Math.max(this.at + need, 2 * this.bytes.length));
    bigger.set(this.bytes.subarray(0, this.at));
    this.bytes = bigger;
    this.view = new DataView(bigger.buffer);
  }
}

function gathered(column: Int32Array, rows: Int32Array): Int32Array {
  const out = new Int32Array(rows.length);
  for (let i = 0; i < rows.length; i++) out[i] = column[rows[i]!]!;
  return out;
}
