import { InputError } from "../model/intake.ts";

/** Wire types of the protobuf encoding. */
export const Wire = { varint: 0, fixed64: 1, bytes: 2, groupStart: 3, groupEnd: 4, fixed32: 5 } as const;

/** Groups nested deeper are refused, as protoc refuses messages nested deeper. */
const MAX_GROUP_DEPTH = 100;

/**
 * Pulls protobuf's wire elements out of a byte array. Methods take the position
 * to read at and the end of the message they are in, and leave the position
 * behind what they read in `at`: the callers keep positions in local variables,
 * which costs half of a cursor kept in the object.
 *
 * Everything that contradicts the encoding throws InputError with the offset in
 * the file: bytes that end early are `truncated`, all else is `malformed`.
 */
export class ProtobufReader {
  bytes: Uint8Array = new Uint8Array(0);
  words: DataView = new DataView(this.bytes.buffer);
  /** Position behind what was read last. */
  at = 0;
  /** The 64 bits of the last varint. */
  low = 0;
  high = 0;
  /** By how many bytes the last `clippedEnd` went beyond its message. */
  missing = 0;

  readonly file: string;
  private byteBase = 0;

  constructor(file: string) {
    this.file = file;
  }

  /** Reads from `bytes` from now on; its first byte is byte `byteBase` of the file. */
  over(bytes: Uint8Array, byteBase: number): void {
    this.byteBase = byteBase;
    if (bytes === this.bytes) return;
    this.bytes = bytes;
    this.words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Offset in the file of a position in `bytes`. */
  offset(at: number): number {
    return this.byteBase + at;
  }

  /** The tag at `at`: field number * 8 + wire type. */
  tag(at: number, end: number): number {
    if (at + 1 < end) {
      const byte = this.bytes[at]!;
      if (byte < 0x80 && byte >= 8) {
        this.at = at + 1;
        return byte;
      }
      // Two bytes, for field numbers from 16 on.
      const next = this.bytes[at + 1]!;
      if (byte >= 0x80 && next < 0x80 && next > 0) {
        this.at = at + 2;
        return (byte & 0x7f) | (next << 7);
      }
    }
    const tag = this.varint(at, end);
    if (tag >= 2 ** 32) this.fail("malformed", at, "a field tag of 32 bits", "more bits");
    if (tag < 8) this.fail("malformed", at, "a field number", "field number 0");
    return tag;
  }

  /** End of the length-delimited value whose length stands at `at`; its start is left in `this.at`. */
  valueEnd(at: number, end: number): number {
    if (at < end) {
      const length = this.bytes[at]!;
      if (length < 0x80 && at + 1 + length <= end) {
        this.at = at + 1;
        return at + 1 + length;
      }
      // Two bytes, for spans and statements.
      if (at + 1 < end) {
        const next = this.bytes[at + 1]!;
        const valueEnd = at + 2 + (length & 0x7f) + next * 128;
        if (length >= 0x80 && next < 0x80 && valueEnd <= end) {
          this.at = at + 2;
          return valueEnd;
        }
      }
    }
    const valueEnd = this.clippedEnd(at, end);
    if (this.missing > 0) this.failLength(at, end);
    return valueEnd;
  }

  /** As valueEnd, but a length that goes beyond `end` ends there and is told in `missing`. */
  clippedEnd(at: number, end: number): number {
    const length = this.varint(at, end);
    const valueEnd = this.at + length;
    this.missing = Math.max(0, valueEnd - end);
    return valueEnd - this.missing;
  }

  /** Throws for the length at `at`, which goes beyond `end`. */
  failLength(at: number, end: number): never {
    const length = this.varint(at, end);
    this.fail("truncated", at, `${length} bytes`, `${end - this.at} bytes before the end`);
  }

  /**
   * Calls `take` for each length-delimited field of the message in `[start, end)`. One that goes beyond the end, as where a
   * file was cut, is taken as far as it is there before that is thrown.
   */
  each(start: number, end: number, take: (tag: number, from: number, to: number) => void): void {
    for (let at = start; at < end;) {
      const tag = this.tag(at, end);
      const lengthAt = this.at;
      if ((tag & 7) !== Wire.bytes) {
        at = this.skip(tag, lengthAt, end);
        continue;
      }
      const valueEnd = this.clippedEnd(lengthAt, end);
      const isWhole = this.missing === 0;
      take(tag, this.at, valueEnd);
      if (!isWhole) this.failLength(lengthAt, end);
      at = valueEnd;
    }
  }

  /** The varint at `at` as an unsigned number, rounded above 2^53; exact in `low` and `high`. */
  varint(at: number, end: number): number {
    const bytes = this.bytes;
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10; i++) {
      if (at + i >= end) this.fail("truncated", at, "a varint", `${i} bytes before the end`);
      const byte = bytes[at + i]!;
      const bits = byte & 0x7f;
      if (i < 4) low |= bits << (7 * i);
      else if (i === 4) {
        low |= bits << 28;
        high = bits >> 4;
      } else high |= bits << (7 * i - 32);
      if (byte < 0x80) {
        this.at = at + i + 1;
        this.low = low >>> 0;
        this.high = high >>> 0;
        // Small results never meet a fraction: V8 would keep every position computed from them as one.
        return high === 0 && low >= 0 ? low : this.high * 2 ** 32 + this.low;
      }
    }
    this.fail("malformed", at, "a varint of at most 10 bytes", "more");
  }

  /** Position behind `size` bytes at `at`. */
  fixed(at: number, end: number, size: number): number {
    if (at + size > end) this.fail("truncated", at, `${size} bytes`, `${end - at} bytes before the end`);
    return at + size;
  }

  /** Position behind the value of a field that nobody asked for; `at` is behind its tag. */
  skip(tag: number, at: number, end: number): number {
    switch (tag & 7) {
      case Wire.varint:
        this.varint(at, end);
        return this.at;
      case Wire.fixed64:
        return this.fixed(at, end, 8);
      case Wire.bytes:
        return this.valueEnd(at, end);
      case Wire.groupStart:
        return this.skipGroup(tag, at, end);
      case Wire.fixed32:
        return this.fixed(at, end, 4);
      default:
        this.fail("malformed", at, "wire type 0, 1, 2, 3 or 5", `wire type ${tag & 7} of field ${tag >>> 3}`);
    }
  }

  fail(code: "truncated" | "malformed", at: number, expected: string, found: string): never {
    throw new InputError(code, { file: this.file, byteOffset: this.offset(at), expected, found });
  }

  private skipGroup(tag: number, at: number, end: number): number {
    const open = [tag >>> 3];
    while (open.length > 0) {
      const inner = this.tag(at, end);
      const kind = inner & 7;
      if (kind === Wire.groupStart) {
        if (open.length === MAX_GROUP_DEPTH)
          this.fail("malformed", at, `at most ${MAX_GROUP_DEPTH} nested groups`, "more");
        open.push(inner >>> 3);
        at = this.at;
      } else if (kind === Wire.groupEnd) {
        const field = open.pop()!;
        if (inner >>> 3 !== field)
          this.fail("malformed", at, `the end of group ${field}`, `the end of group ${inner >>> 3}`);
        at = this.at;
      } else {
        at = this.skip(inner, this.at, end);
      }
    }
    return at;
  }
}
