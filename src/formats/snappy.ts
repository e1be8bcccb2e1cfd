import { InputError } from "../model/intake.ts";

/**
 * Content of Snappy's block format, at most `limit` bytes: the format of Prometheus' remote-write.
 *
 * Own code, because the published package never ends on a literal whose 32-bit length is negative, and does not notice
 * when there is less content than was told. https://github.com/google/snappy/blob/main/format_description.txt
 * Throws InputError with the offset in the compressed bytes. Writes to `memory` where that is large enough.
 */
export function unsnappy(bytes: Uint8Array, file: string, limit: number, memory?: Uint8Array): Uint8Array {
  const told = { at: 0, size: 0 };
  readSize(bytes, file, told);
  if (told.size > limit)
    throw fail("too-large", file, 0, `at most ${limit} bytes after decompression`, String(told.size));
  const out =
    memory !== undefined && told.size <= memory.length ? memory.subarray(0, told.size) : new Uint8Array(told.size);
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const outWords = new DataView(out.buffer, out.byteOffset, out.byteLength);
  let at = told.at;
  let to = 0;
  while (at < bytes.length) {
    const start = at;
    const tag = bytes[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      let length = (tag >>> 2) + 1;
      if (length > 60) {
        const size = length - 60;
        length = littleEndian(bytes, at, size, file) + 1;
        at += size;
      }
      if (at + length > bytes.length) throw fail("truncated", file, start, `${length} bytes`, "the end");
      if (to + length > out.length) throw fail("malformed", file, start, `${out.length} bytes in all`, "more");
      // Below some 100 bytes a loop beats `set` and its temporary array.
      if (length < 100) copy(words, at, outWords, to, length);
      else out.set(bytes.subarray(at, at + length), to);
      at += length;
      to += length;
      continue;
    }
    const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const size = kind === 1 ? 1 : kind === 2 ? 2 : 4;
    const offset = littleEndian(bytes, at, size, file) + (kind === 1 ? (tag >>> 5) << 8 : 0);
    at += size;
    if (offset === 0 || offset > to) throw fail("malformed", file, start, `an offset from 1 to ${to}`, String(offset));
    if (to + length > out.length) throw fail("malformed", file, start, `${out.length} bytes in all`, "more");
    // What is copied may be what was copied just now: a word that reaches into itself goes byte by byte.
    if (offset >= 4) copy(outWords, to - offset, outWords, to, length);
    else for (let i = to; i < to + length; i++) out[i] = out[i - offset]!;
    to += length;
  }
  if (to !== out.length) throw fail("truncated", file, bytes.length, `${out.length} bytes of content`, `${to}`);
  return out;
}

/** Copies bytes, four at a time as far as that goes. */
function copy(from: DataView, at: number, into: DataView, to: number, length: number): void {
  let i = 0;
  for (; i + 4 <= length; i += 4) into.setInt32(to + i, from.getInt32(at + i));
  for (; i < length; i++) into.setUint8(to + i, from.getUint8(at + i));
}

function readSize(bytes: Uint8Array, file: string, into: { at: number; size: number }): void {
  let factor = 1;
  for (let i = 0; i < 5; i++) {
    if (i >= bytes.length) throw fail("truncated", file, i, "the length of the content", "the end");
    into.size += (bytes[i]! & 0x7f) * factor;
    factor *= 128;
    if (bytes[i]! >= 0x80) continue;
    into.at = i + 1;
    return;
  }
  throw fail("malformed", file, 0, "a length of 32 bits", "more bits");
}

function littleEndian(bytes: Uint8Array, at: number, size: number, file: string): number {
  if (at + size > bytes.length) throw fail("truncated", file, at, `${size} bytes`, "the end");
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}

function fail(
  code: "malformed" | "truncated" | "too-large",
  file: string,
  byteOffset: number,
  expected: string,
  found: string,
): InputError {
  return new InputError(code, { file, byteOffset, expected: `snappy: ${expected}`, found });
}
