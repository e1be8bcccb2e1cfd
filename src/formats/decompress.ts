import { ByteSource } from "./byte-source.ts";
import { gunzip } from "./gunzip.ts";
import { unzstd } from "./unzstd.ts";

/** Compressions inside one another that are undone: `x.gz` sent with Content-Encoding gzip and saved so is seen. */
const MAX_LAYERS = 2;

export type Compression = "gzip" | "zstd" | "none";

/** What the first bytes of a file say; at least four of them are needed. */
export function compressionOf(bytes: Uint8Array, at = 0): Compression {
  if (bytes[at] === 0x1f && bytes[at + 1] === 0x8b) return "gzip";
  const isZstd = bytes[at] === 0x28 && bytes[at + 1] === 0xb5 && bytes[at + 2] === 0x2f && bytes[at + 3] === 0xfd;
  const isSkippable =
    (bytes[at]! & 0xf0) === 0x50 && bytes[at + 1] === 0x2a && bytes[at + 2] === 0x4d && bytes[at + 3] === 0x18;
  return isZstd || isSkippable ? "zstd" : "none";
}

/**
 * The content of a stream that may be compressed with gzip or zstd, any number of
 * members or frames, at most two layers. Chunks are produced as they are asked for
 * and are small (megabytes at most), so the consumer bounds what a bomb can do.
 * A chunk is valid until the next is asked for.
 *
 * Throws InputError with the offset in the compressed bytes, after all that could
 * be decompressed before it.
 */
export async function* decompress(chunks: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<Uint8Array> {
  let source = new ByteSource(chunks[Symbol.asyncIterator]());
  const layers = [source];
  try {
    for (let layer = 0; layer < MAX_LAYERS; layer++) {
      await source.need(4);
      const compression = compressionOf(source.bytes, source.at);
      if (compression === "none") break;
      source = new ByteSource(compression === "gzip" ? gunzip(source, file) : unzstd(source, file));
      layers.push(source);
    }
    yield* source.rest();
  } finally {
    // From the inside out: a decompressor may hold a chunk of the layer below.
    for (const layer of layers.toReversed()) await layer.close();
  }
}
