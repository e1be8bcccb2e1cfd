import { InputError } from "../model/intake.ts";

/** Reads the encodings of a JFR chunk from bytes; beyond `end` everything is an InputError "truncated" with its byte. */
export class JfrCursor {
  at: number;
  end: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly file: string;
  private readonly decoder = new TextDecoder();

  constructor(bytes: Uint8Array, at: number, end: number, file: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.end = end;
    this.file = file;
  }

  byte(): number {
    return this.bytes[this.take(1)]!;
  }

  /** A compressed integer: seven bits a byte, low ones first, and eight in the ninth. Rounded above 2^53; negative ones are 64 bits. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    const last = this.byte();
    // Two's complement: the ninth byte has the sign.
    return last < 0x80 ? value + last * scale : value + (last - 256) * scale;
  }

  float(): number {
    return this.view.getFloat32(this.take(4));
  }

  double(): number {
    return this.view.getFloat64(this.take(8));
  }

  unsigned16(): number {
    return this.view.getUint16(this.take(2));
  }

  big(): bigint {
    return this.view.getBigInt64(this.take(8));
  }

  /** A string as such, or the key of one in the pool of strings. */
  string(): string | number {
    const at = this.at;
    const encoding = this.byte();
    switch (encoding) {
      case 0:
      case 1:
        return "";
      case 2:
        return this.varint();
      case 3:
        return this.decoder.decode(this.raw(this.varint()));
      case 4: {
        const units = Array.from({ length: this.length() }, () => this.varint());
        return units.map((unit) => String.fromCharCode(unit)).join("");
      }
      case 5:
        return Buffer.from(this.raw(this.varint())).toString("latin1");
      default:
        return this.fail("malformed", at, "the encoding of a string, 0 to 5", String(encoding));
    }
  }

  /** How many values follow, each of which has a byte at least. */
  length(): number {
    const at = this.at;
    const length = this.varint();
    if (length < 0 || length > this.end - this.at)
      this.fail("malformed", at, `at most ${this.end - this.at} values before the end of the event`, `${length}`);
    return length;
  }

  raw(size: number): Uint8Array {
    if (size < 0) this.fail("malformed", this.at, "a length", String(size));
    const start = this.take(size);
    return this.bytes.subarray(start, start + size);
  }

  fail(code: "malformed" | "truncated" | "unsupported", at: number, expected: string, found: string): never {
    throw new InputError(code, { file: this.file, byteOffset: at, expected, found });
  }

  private take(size: number): number {
    const { at } = this;
    if (at + size > this.end) this.fail("truncated", at, `${size} bytes`, `${this.end - at} bytes before the end`);
    this.at = at + size;
    return at;
  }
}
