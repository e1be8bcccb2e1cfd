import { crc32, createInflateRaw } from "node:zlib";
import { InputError } from "../model/intake.ts";
import type { ByteSource } from "./byte-source.ts";

/** Compressed bytes handed to zlib at a time. Deflate expands up to 1,032 times: 16 MiB of output at most. */
const SLICE = 16 * 1024;
const HEADER = 10;
const FLAG = { headerCrc: 2, extra: 4, name: 8, comment: 16 } as const;

/**
 * Content of a gzip stream (RFC 1952) of any number of members; zero padding at the
 * end is ignored. Inflating runs in zlib's threads, one slice ahead of the consumer.
 *
 * Members are taken apart here rather than by node's Gunzip, because that loses the
 * output before an error, and a file whose end is damaged shall keep its beginning.
 */
export async function* gunzip(source: ByteSource, file: string): AsyncGenerator<Uint8Array> {
  for (let members = 0; await source.need(1); members++) {
    if (members > 0 && source.bytes[source.at] === 0) {
      source.at++;
      continue;
    }
    await header(source, file);
    const check = { crc: 0, size: 0 };
    for await (const chunk of inflateMember(source, file)) {
      check.crc = crc32(chunk, check.crc);
      check.size = (check.size + chunk.length) >>> 0;
      yield chunk;
    }
    if (!(await source.need(8))) throw truncated(source, file, "the checksum of a gzip member");
    const trailer = new DataView(source.bytes.buffer, source.bytes.byteOffset + source.at, 8);
    if (trailer.getUint32(0, true) !== check.crc || trailer.getUint32(4, true) !== check.size) {
      throw malformed(source, file, "the checksum and size of what was decompressed", "others: the content is damaged");
    }
    source.at += 8;
  }
}

async function header(source: ByteSource, file: string): Promise<void> {
  if (!(await source.need(HEADER))) throw truncated(source, file, "a gzip header");
  const { bytes, at } = source;
  if (bytes[at] !== 0x1f || bytes[at + 1] !== 0x8b || bytes[at + 2] !== 8) {
    throw malformed(source, file, "a gzip member (1f 8b 08)", hex(bytes.subarray(at, at + 3)));
  }
  const flags = bytes[at + 3]!;
  source.at += HEADER;
  if (flags & FLAG.extra) {
    if (!(await source.need(2))) throw truncated(source, file, "a gzip header");
    const size = 2 + source.bytes[source.at]! + 256 * source.bytes[source.at + 1]!;
    if (!(await source.need(size))) throw truncated(source, file, "a gzip header");
    source.at += size;
  }
  for (const flag of [FLAG.name, FLAG.comment]) {
    if (!(flags & flag)) continue;
    do {
      if (!(await source.need(1))) throw truncated(source, file, "a gzip header");
    } while (source.bytes[source.at++] !== 0);
  }
  if (flags & FLAG.headerCrc) {
    if (!(await source.need(2))) throw truncated(source, file, "a gzip header");
    source.at += 2;
  }
}

/** Inflates one deflate stream and leaves the source behind it. */
async function* inflateMember(source: ByteSource, file: string): AsyncGenerator<Uint8Array> {
  const inflate = createInflateRaw({ chunkSize: 64 * 1024 });
  let produced: Uint8Array[] = [];
  let failure: Error | undefined;
  let ended = false;
  let wake = (): void => {};
  inflate.on("data", (chunk: Uint8Array) => produced.push(chunk));
  inflate.on("error", (error: Error) => {
    failure = error;
    wake();
  });
  inflate.on("end", () => {
    ended = true;
    wake();
  });
  // The callback of a write does not come when the stream ended within it: `end` comes instead.
  const write = (slice: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
      inflate.write(slice, () => resolve());
    });
  const take = (): Uint8Array[] => {
    const chunks = produced;
    produced = [];
    return chunks;
  };
  try {
    while (!ended && (await source.need(1))) {
      // All slices of a chunk of the source, each in work while the output of the one before is consumed.
      const { bytes, at } = source;
      const before = inflate.bytesWritten;
      let next = at;
      while (next < bytes.length && !ended && failure === undefined) {
        const slice = bytes.subarray(next, Math.min(next + SLICE, bytes.length));
        next += slice.length;
        const written = write(slice);
        yield* take();
        await written;
      }
      // `end` follows the last output by a tick.
      if (inflate.bytesWritten - before < next - at && failure === undefined && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (ended || failure !== undefined) resolve();
        });
      }
      source.at = at + inflate.bytesWritten - before;
      yield* take();
      if (failure !== undefined) throw malformed(source, file, "deflate-compressed bytes", failure.message);
    }
    if (ended) return;
    await new Promise<void>((resolve) => {
      wake = resolve;
      inflate.end();
    });
    yield* take();
    if (failure !== undefined) throw truncated(source, file, "more compressed bytes");
  } finally {
    inflate.destroy();
  }
}

function truncated(source: ByteSource, file: string, expected: string): InputError {
  const byteOffset = source.offset + source.available;
  return new InputError("truncated", { file, byteOffset, expected, found: "the end of the compressed file" });
}

function malformed(source: ByteSource, file: string, expected: string, found: string): InputError {
  return new InputError("malformed", { file, byteOffset: source.offset, expected, found });
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
