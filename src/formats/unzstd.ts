import { Decompress } from "fzstd";
import { InputError } from "../model/intake.ts";
import type { ByteSource } from "./byte-source.ts";

/** Decoders need a window of that many bytes; the zstd command refuses more by default, too. */
const MAX_WINDOW = 128 * 1024 * 1024;

/**
 * Content of a zstd stream (RFC 8878) of any number of frames, skippable ones
 * included. Frames and blocks are taken apart here and handed over one by one: so
 * one step yields 128 KiB at most, and errors have an offset. The optional
 * checksum is not verified (fzstd does not).
 */
export async function* unzstd(source: ByteSource, file: string): AsyncGenerator<Uint8Array> {
  while (await source.need(1)) {
    await demand(source, file, 4, "a zstd frame");
    const magic = word(source, 0);
    if (magic === 0xfd2fb528) yield* frame(source, file);
    else if ((magic & 0xfffffff0) >>> 0 === 0x184d2a50) await skipFrame(source, file);
    else throw fail("malformed", source, file, "a zstd frame (28 b5 2f fd)", magic.toString(16));
  }
}

async function* frame(source: ByteSource, file: string): AsyncGenerator<Uint8Array> {
  await demand(source, file, 5, "a zstd frame header");
  const descriptor = source.bytes[source.at + 4]!;
  const singleSegment = (descriptor >> 5) & 1;
  const dictionarySize = [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = descriptor >> 6 === 0 ? singleSegment : 1 << (descriptor >> 6);
  const headerSize = 5 + (1 - singleSegment) + dictionarySize + sizeBytes;
  await demand(source, file, headerSize, "a zstd frame header");
  checkWindow(source, file, singleSegment === 1, headerSize - sizeBytes, sizeBytes);

  let produced: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => {
    if (chunk.length > 0) produced.push(chunk);
  });
  const push = (count: number, last: boolean): void => {
    try {
      decoder.push(new Uint8Array(source.bytes.subarray(source.at, source.at + count)), last);
    } catch (error) {
      throw fail("malformed", source, file, "zstd-compressed bytes", (error as Error).message);
    }
    source.at += count;
  };
  push(headerSize, false);
  const hasChecksum = (descriptor >> 2) & 1;
  for (let last = 0; last === 0;) {
    await demand(source, file, 3, "a zstd block");
    const block = word(source, 0) & 0xffffff;
    last = block & 1;
    // Type 1 is a repeated byte.
    const size = 3 + (((block >> 1) & 3) === 1 ? 1 : block >> 3) + (last && hasChecksum ? 4 : 0);
    await demand(source, file, size, "a zstd block");
    push(size, last === 1);
    yield* produced;
    produced = [];
  }
}

function checkWindow(source: ByteSource, file: string, single: boolean, sizeAt: number, sizeBytes: number): void {
  let window = 0;
  if (single) {
    for (let i = sizeBytes - 1; i >= 0; i--) window = window * 256 + source.bytes[source.at + sizeAt + i]!;
  } else {
    const byte = source.bytes[source.at + 5]!;
    window = 2 ** (10 + (byte >> 3)) * (1 + (byte & 7) / 8);
  }
  if (window > MAX_WINDOW)
    throw fail("too-large", source, file, `a zstd window of at most ${MAX_WINDOW} bytes`, `${window}`);
}

async function skipFrame(source: ByteSource, file: string): Promise<void> {
  await demand(source, file, 8, "a skippable zstd frame");
  let size = word(source, 4);
  source.at += 8;
  while (size > 0) {
    await demand(source, file, 1, "a skippable zstd frame");
    const step = Math.min(size, source.available);
    source.at += step;
    size -= step;
  }
}

async function demand(source: ByteSource, file: string, count: number, expected: string): Promise<void> {
  if (await source.need(count)) return;
  throw new InputError("truncated", {
    file,
    byteOffset: source.offset + source.available,
    expected: `more bytes of ${expected}`,
    found: "the end of the compressed file",
  });
}

/** Little-endian word `ahead` bytes ahead; bytes beyond what is available are zero. */
function word(source: ByteSource, ahead: number): number {
  let value = 0;
  for (let i = 3; i >= 0; i--) value = (value << 8) | (source.bytes[source.at + ahead + i] ?? 0);
  return value >>> 0;
}

function fail(
  code: "malformed" | "too-large",
  source: ByteSource,
  file: string,
  expected: string,
  found: string,
): InputError {
  return new InputError(code, { file, byteOffset: source.offset, expected, found });
}
