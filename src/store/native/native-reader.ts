import { StoreError } from "../store-error.ts";

/** Values of one width: integers, floating-point numbers, FixedString; `width` bytes each from `start` on. */
export interface FixedColumn {
  readonly kind: "fixed";
  readonly width: number;
  readonly start: number;
}

/** Byte ranges of the block's bytes. */
export interface StringColumn {
  readonly kind: "strings";
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

export interface DictionaryColumn {
  readonly kind: "dictionary";
  readonly keys: StringColumn;
  readonly index: Uint8Array | Uint16Array | Uint32Array;
}

export interface ArrayColumn {
  readonly kind: "array";
  /** end of each row's items */
  readonly ends: Float64Array;
  readonly items: NativeColumn;
}

export type NativeColumn = FixedColumn | StringColumn | DictionaryColumn | ArrayColumn;

/** A block as it came: columns hold positions in `bytes`. */
export class NativeBlock {
  readonly rows: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  private readonly columns: ReadonlyMap<string, NativeColumn>;

  constructor(bytes: Uint8Array, view: DataView, rows: number, columns: ReadonlyMap<string, NativeColumn>) {
    this.bytes = bytes;
    this.view = view;
    this.rows = rows;
    this.columns = columns;
  }

  fixed(name: string): FixedColumn {
    return this.column(name, "fixed");
  }

  strings(name: string): StringColumn {
    return this.column(name, "strings");
  }

  dictionary(name: string): DictionaryColumn {
    return this.column(name, "dictionary");
  }

  array(name: string): ArrayColumn {
    return this.column(name, "array");
  }

  private column<Kind extends NativeColumn["kind"]>(name: string, kind: Kind): Extract<NativeColumn, { kind: Kind }> {
    const column = this.columns.get(name);
    if (column?.kind !== kind) throw new Error(`column ${name} is ${column?.kind ?? "missing"}, not ${kind}`);
    return column as Extract<NativeColumn, { kind: Kind }>;
  }
}

/** Widths of the types that occur in the schema's queries. */
const WIDTHS: Readonly<Record<string, number>> = {
  UInt8: 1,
  Int8: 1,
  UInt16: 2,
  Int32: 4,
  UInt32: 4,
  Int64: 8,
  UInt64: 8,
  Float64: 8,
};

/**
 * Blocks of an answer in the Native format (native-writer.ts has its layout), one after the other.
 * Throws StoreError: what the engine says where it failed on the way, else "malformed" with the byte.
 */
export function* nativeBlocks(bytes: Uint8Array): Generator<NativeBlock> {
  const reader = new BlockReader(bytes);
  try {
    while (reader.at < bytes.length) yield reader.block();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw failureIn(bytes) ?? new StoreError("malformed", `answer of the engine, byte ${reader.at}: ${error.message}`);
  }
}

/** An answer that fails on the way ends with the engine's words instead of the rest of a block. */
function failureIn(bytes: Uint8Array): StoreError | undefined {
  const tail = new TextDecoder().decode(bytes.subarray(Math.max(0, bytes.length - 16_384)));
  const found = /Code: (\d+)\. DB::Exception: ([^\n]*)/.exec(tail);
  if (found === null) return undefined;
  const engineCode = Number(found[1]);
  const code = engineCode === 241 ? "too-large" : engineCode === 159 ? "timeout" : "refused";
  return new StoreError(code, `${found[2]} (ClickHouse error ${engineCode})`, { engineCode });
}

class BlockReader {
  at = 0;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly utf8 = new TextDecoder();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  block(): NativeBlock {
    const count = this.varint();
    const rows = this.varint();
    const columns = new Map<string, NativeColumn>();
    for (let i = 0; i < count; i++) {
      const name = this.text();
      const type = this.text();
      this.prefix(type);
      columns.set(name, this.column(type, rows));
    }
    return new NativeBlock(this.bytes, this.view, rows, columns);
  }

  /** What stands before the values of a whole column, however deep in its type. */
  private prefix(type: string): void {
    const item = itemType(type);
    if (item !== undefined) this.prefix(item);
    else if (type === "LowCardinality(String)") {
      const version = this.word64();
      if (version !== 1) throw new RangeError(`dictionary of version ${version}`);
    }
  }

  private column(type: string, rows: number): NativeColumn {
    const item = itemType(type);
    if (item !== undefined) {
      const ends = new Float64Array(rows);
      for (let i = 0; i < rows; i++) ends[i] = this.word64();
      return { kind: "array", ends, items: this.column(item, rows === 0 ? 0 : ends[rows - 1]!) };
    }
    if (type === "String") return this.strings(rows);
    if (type === "LowCardinality(String)") return this.dictionary(rows);
    const width = WIDTHS[type] ?? (type.startsWith("DateTime64(") ? 8 : fixedStringWidth(type));
    if (width === undefined) throw new RangeError(`type ${type} is none of those that are read`);
    const start = this.at;
    this.skip(width * rows);
    return { kind: "fixed", width, start };
  }

  private strings(rows: number): StringColumn {
    const starts = new Int32Array(rows);
    const ends = new Int32Array(rows);
    for (let i = 0; i < rows; i++) {
      const length = this.varint();
      starts[i] = this.at;
      this.skip(length);
      ends[i] = this.at;
    }
    return { kind: "strings", starts, ends };
  }

  private dictionary(rows: number): DictionaryColumn {
    if (rows === 0) return { kind: "dictionary", keys: this.strings(0), index: new Uint8Array(0) };
    const width = this.word64() & 0xff;
    const keys = this.strings(this.word64());
    const values = this.word64();
    if (values !== rows) throw new RangeError(`${values} indices for ${rows} values`);
    const start = this.at;
    this.skip(values << width);
    // A copy, as the engine aligns nothing; Buffer.slice would be none.
    const { buffer } = new Uint8Array(this.bytes.subarray(start, this.at));
    const index =
      width === 0
        ? new Uint8Array(buffer)
        : width === 1
          ? new Uint16Array(buffer)
          : width === 2
            ? new Uint32Array(buffer)
            : undefined;
    if (index === undefined) throw new RangeError(`indices of width ${width}`);
    return { kind: "dictionary", keys, index };
  }

  private text(): string {
    const length = this.varint();
    const start = this.at;
    this.skip(length);
    return this.utf8.decode(this.bytes.subarray(start, this.at));
  }

  private varint(): number {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = this.view.getUint8(this.at++);
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
      if (shift > 2 ** 42) throw new RangeError("a number of more than 49 bits");
    }
  }

  private word64(): number {
    const value = this.view.getUint32(this.at, true) + this.view.getUint32(this.at + 4, true) * 2 ** 32;
    this.at += 8;
    return value;
  }

  private skip(count: number): void {
    if (this.at + count > this.bytes.length) throw new RangeError(`ends within a value of ${count} bytes`);
    this.at += count;
  }
}

function itemType(type: string): string | undefined {
  return type.startsWith("Array(") ? type.slice(6, -1) : undefined;
}

function fixedStringWidth(type: string): number | undefined {
  const found = /^FixedString\((\d+)\)$/.exec(type);
  return found === null ? undefined : Number(found[1]);
}
