/** A protobuf message being written. Zeros are left out, as proto3 does. */
export class Message {
  private buffer = new Uint8Array(64);
  private size = 0;

  number(field: number, value: number): this {
    if (value === 0) return this;
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** 31)
      return this.bigNumber(field, BigInt(Math.round(value)));
    this.varint(field << 3);
    this.varint(value);
    return this;
  }

  bigNumber(field: number, value: bigint): this {
    this.varint(field << 3);
    this.bigVarint(value);
    return this;
  }

  /** A member of a oneof, of which zero is a value like others. */
  chosenNumber(field: number, value: number): this {
    return this.bigNumber(field, BigInt(value));
  }

  /** 64 bits as two words; zero is written too. */
  fixed64(field: number, high: number, low: number): this {
    const view = this.eight(field);
    view.setUint32(0, low, true);
    view.setUint32(4, high, true);
    return this;
  }

  /** Zero is written too: minus zero is another value, and members of a oneof may be zero. */
  double(field: number, value: number): this {
    this.eight(field).setFloat64(0, value, true);
    return this;
  }

  numbers(field: number, values: readonly number[]): this {
    if (values.length === 0) return this;
    let size = 0;
    for (const value of values) {
      if (!(value >= 0 && value < 2 ** 31)) return this.bigNumbers(field, values);
      size += varintSize(value);
    }
    this.varint((field << 3) | 2);
    this.varint(size);
    for (const value of values) this.varint(value);
    return this;
  }

  private bigNumbers(field: number, values: readonly number[]): this {
    const packed = new Message();
    for (const value of values) packed.bigVarint(BigInt(value));
    return this.message(field, packed);
  }

  message(field: number, message: Message): this {
    return this.bytes(field, message.finish());
  }

  bytes(field: number, bytes: Uint8Array): this {
    this.varint((field << 3) | 2);
    this.varint(bytes.length);
    return this.raw(bytes);
  }

  /** Content of one or more fields, as it is. */
  raw(bytes: Uint8Array): this {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.size);
    this.size += bytes.length;
    return this;
  }

  finish(): Uint8Array {
    return this.buffer.subarray(0, this.size);
  }

  /** The eight bytes of a new field. */
  private eight(field: number): DataView {
    this.varint((field << 3) | 1);
    this.reserve(8);
    this.size += 8;
    return new DataView(this.buffer.buffer, this.size - 8, 8);
  }

  /** value: 0 .. 2^31 - 1 */
  private varint(value: number): void {
    this.reserve(5);
    for (; value >= 0x80; value >>>= 7) this.buffer[this.size++] = (value & 0x7f) | 0x80;
    this.buffer[this.size++] = value;
  }

  private bigVarint(value: bigint): void {
    this.reserve(10);
    let rest = BigInt.asUintN(64, value);
    for (; rest >= 0x80n; rest >>= 7n) this.buffer[this.size++] = Number(rest & 0x7fn) | 0x80;
    this.buffer[this.size++] = Number(rest);
  }

  private reserve(bytes: number): void {
    if (this.size + bytes <= this.buffer.length) return;
    const bigger = new Uint8Array(Math.max(2 * this.buffer.length, this.size + bytes));
    bigger.set(this.buffer.subarray(0, this.size));
    this.buffer = bigger;
  }
}

/** Bytes of 0 .. 2^31 - 1. */
const varintSize = (value: number): number =>
  value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
