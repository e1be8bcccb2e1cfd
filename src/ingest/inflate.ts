import { promisify } from "node:util";
import { gunzip, gunzipSync, inflate, inflateRaw } from "node:zlib";
import { ByteSource } from "../formats/byte-source.ts";
import { unsnappy } from "../formats/snappy.ts";
import { unzstd } from "../formats/unzstd.ts";
import { InputError } from "../model/intake.ts";
import type { BodyEncoding } from "./body.ts";
import { makeInflater } from "./inflate-in-place.ts";

const gunzipAll = promisify(gunzip);
const inflateAll = promisify(inflate);
const inflateRawAll = promisify(inflateRaw);

/**
 * Decompressions at a time: zlib has the four threads of Node's pool, so more would only hold more memory. With
 * the limit of a request this bounds what bombs can take, however many come at once.
 */
const AT_A_TIME = 4;
/** Smaller ones are inflated at once: a millisecond or two, where handing over to a thread and back costs as much. */
const INLINE_BYTES = 128 * 1024;
const MIN_CHUNK = 1024;
const USUAL_RATIO = 64;

const inPlace = makeInflater();
const snappyMemory = new Uint8Array(2 ** 20);

/**
 * The content of a body that is inflated at once, good until the next call; undefined where `inflated` has to do it,
 * because it takes long, or in order to say what is wrong. Throws InputError for Snappy, as that does.
 */
export function inflatedNow(sent: Uint8Array, encoding: BodyEncoding, limit: number): Uint8Array | undefined {
  if (encoding === "snappy") return unsnappy(sent, "request", limit, snappyMemory);
  if (encoding !== "gzip" || sent.length > INLINE_BYTES) return undefined;
  const bytes = inPlace?.inflate(sent);
  return bytes === undefined || bytes.length > limit ? undefined : bytes;
}

/**
 * The content of a body, at most `limit` bytes.
 * Throws InputError: `too-large` beyond the limit, `malformed` or `truncated` where it cannot be decompressed.
 */
export async function inflated(sent: Uint8Array, encoding: BodyEncoding, limit: number): Promise<Uint8Array> {
  if (encoding === "identity") return withinLimit(sent, limit);
  if (encoding === "gzip" && sent.length <= INLINE_BYTES) return gunzipped(sent, limit);
  await turn();
  try {
    return await decompressed(sent, encoding, limit);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw asInputError(error as NodeJS.ErrnoException, encoding, sent.length, limit);
  } finally {
    release();
  }
}

function gunzipped(sent: Uint8Array, limit: number): Uint8Array {
  try {
    return gunzipSync(sent, { maxOutputLength: limit, chunkSize: expectedSize(sent, limit) });
  } catch (error) {
    throw asInputError(error as NodeJS.ErrnoException, "gzip", sent.length, limit);
  }
}

/**
 * Room for the output in one piece: gzip tells its size in the last 4 bytes. In pieces of 16 KiB, Node's default, inflating
 * took half of all the time of a receiver (bench/ingest.ts). Who tells too much gets no more than what is usual:
 * telemetry shrinks to a tenth, rarely to a fiftieth.
 */
function expectedSize(sent: Uint8Array, limit: number): number {
  const told =
    sent.length < 18 ? 0 : new DataView(sent.buffer, sent.byteOffset + sent.length - 4, 4).getUint32(0, true);
  // A little more: with no room left zlib asks once again.
  return Math.max(MIN_CHUNK, Math.min(told, USUAL_RATIO * sent.length, limit) + 64);
}

async function decompressed(
  sent: Uint8Array,
  encoding: Exclude<BodyEncoding, "identity">,
  limit: number,
): Promise<Uint8Array> {
  switch (encoding) {
    case "gzip":
      return gunzipAll(sent, { maxOutputLength: limit, chunkSize: expectedSize(sent, limit) });
    case "deflate":
      // HTTP means zlib's format by this name; some senders mean bare deflate.
      return isZlib(sent)
        ? inflateAll(sent, { maxOutputLength: limit })
        : inflateRawAll(sent, { maxOutputLength: limit });
    case "zstd":
      return unzstdAll(sent, limit);
    case "snappy":
      return unsnappy(sent, "request", limit);
  }
}

const isZlib = (sent: Uint8Array): boolean =>
  sent.length >= 2 && (sent[0]! & 0x0f) === 8 && ((sent[0]! << 8) | sent[1]!) % 31 === 0;

async function unzstdAll(sent: Uint8Array, limit: number): Promise<Uint8Array> {
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield sent;
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of unzstd(new ByteSource(whole()), "request")) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

function withinLimit(sent: Uint8Array, limit: number): Uint8Array {
  if (sent.length > limit) throw tooLarge(limit);
  return sent;
}

function tooLarge(limit: number): InputError {
  const expected = `at most ${limit} bytes after decompression`;
  return new InputError("too-large", { file: "request", byteOffset: limit, expected, found: "more" });
}

function asInputError(error: NodeJS.ErrnoException, encoding: string, size: number, limit: number): InputError {
  if (error.code === "ERR_BUFFER_TOO_LARGE") return tooLarge(limit);
  const isCut = error.code === "Z_BUF_ERROR";
  return new InputError(isCut ? "truncated" : "malformed", {
    file: "request",
    byteOffset: isCut ? size : 0,
    expected: `a body compressed with ${encoding}`,
    found: error.message,
  });
}

let running = 0;
const waiting: (() => void)[] = [];

async function turn(): Promise<void> {
  if (running < AT_A_TIME) {
    running++;
    return;
  }
  await new Promise<void>((resolve) => waiting.push(resolve));
}

function release(): void {
  const next = waiting.shift();
  if (next === undefined) running--;
  else next();
}
