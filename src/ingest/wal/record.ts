import { crc32 } from "node:zlib";

/*
 * A record of the write-ahead log, little-endian:
 *
 *    0  u32  magic, by which reading goes on behind a damaged record
 *    4  u32  CRC of bytes 8 to 40, begun with the segment's salt
 *    8  u32  CRC of meta and body, begun with the salt
 *   12  u32  length of meta and body
 *   16  u32  length of meta
 *   20  u32  kind
 *   24  f64  number of the record, ascending in a log
 *   32  f64  time of receipt, milliseconds since 1970
 *   40  meta (JSON), then body as received
 *
 * CRC-32 rather than CRC-32C: Node's own runs in native code, one in JavaScript is many times slower, and
 * both find all bursts of up to 32 bits. The salt is random per segment and known to nobody outside, so that bytes
 * which somebody sends as a body are never taken for a record when what surrounds them is damaged.
 * The header has a sum of its own: a search behind damage costs 40 bytes per candidate, not a whole body.
 */

export const HEADER_BYTES = 40;
const MAGIC = 0x1a50_4c57;
const MAGIC_BYTES: Buffer = Buffer.from([0x57, 0x4c, 0x50, 0x1a]);

export const RecordKind = {
  /** a request that was taken: meta is a DataMeta, body as it was received */
  data: 1,
  /** the data records that make one block, written before the block is inserted */
  block: 2,
  /** a block that the store has */
  done: 3,
  /** numbers of records that were written, but never synced and never acknowledged */
  void: 4,
  /** all counts so far; the first record of each segment */
  ledger: 5,
  /** counts of requests of which nothing was kept */
  tally: 6,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

export interface WalRecord {
  readonly kind: RecordKind;
  readonly seq: number;
  readonly receivedMs: number;
  /** UTF-8 of a JSON object */
  readonly meta: Uint8Array;
  readonly body: Uint8Array;
}

/** Header of a record; meta and body are to be written behind it. */
export function encodeHeader(record: WalRecord, salt: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  const { meta, body } = record;
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt32LE(sumOf(body, sumOf(meta, salt)), 8);
  header.writeUInt32LE(meta.length + body.length, 12);
  header.writeUInt32LE(meta.length, 16);
  header.writeUInt32LE(record.kind, 20);
  header.writeDoubleLE(record.seq, 24);
  header.writeDoubleLE(record.receivedMs, 32);
  header.writeUInt32LE(crc32(header.subarray(8), salt), 4);
  return header;
}

/** Meta of a sound record: it was written by this program. */
export function parseMeta<T>(meta: Uint8Array): T {
  return JSON.parse(Buffer.from(meta).toString("utf8")) as T;
}

/** CRC of more bytes. Of none it is what it was: zlib's function would take an empty array without memory for a new start. */
function sumOf(bytes: Uint8Array, before: number): number {
  return bytes.length === 0 ? before : crc32(bytes, before);
}

interface Damage {
  /** bytes of the segment that hold no sound record */
  bytes: number;
  /** stretches of such bytes */
  places: number;
}

/** What stands in a segment. */
export interface Scan extends Damage {
  /** where what was written ends: behind it are only zeros, which were written ahead */
  readonly end: number;
}

/**
 * Calls `take` for each sound record of a segment, in order, with its offset. Damaged
 * stretches are passed over and counted; never throws for what the bytes hold.
 *
 * Zeros at the end are room that was made ahead. A record begins with a magic that is none, so that a record which
 * was cut off, and a byte of the zeros that is another, are told apart from them: damage up to the last byte that is no zero.
 */
export function scanSegment(
  bytes: Buffer,
  salt: number,
  from: number,
  take: (record: WalRecord, offset: number) => void,
): Scan {
  const damage: Damage = { bytes: 0, places: 0 };
  let sound = from;
  for (let at = from; at < bytes.length;) {
    const record = recordAt(bytes, at, salt);
    if (record === undefined) {
      const next = bytes.indexOf(MAGIC_BYTES, at + 1);
      at = next < 0 ? bytes.length : next;
      continue;
    }
    note(damage, at - sound);
    take(record, at);
    at += HEADER_BYTES + record.meta.length + record.body.length;
    sound = at;
  }
  const end = endOfWritten(bytes, sound);
  note(damage, end - sound);
  return { ...damage, end };
}

const ZEROS: Buffer = Buffer.alloc(2 ** 12);

/** Where the zeros begin with which the bytes end, at `from` at the earliest: a sound record may end with zeros of its own. */
function endOfWritten(bytes: Buffer, from: number): number {
  let end = bytes.length;
  while (end - from >= ZEROS.length && ZEROS.equals(bytes.subarray(end - ZEROS.length, end))) end -= ZEROS.length;
  while (end > from && bytes[end - 1] === 0) end--;
  return end;
}

function note(damage: Damage, bytes: number): void {
  if (bytes === 0) return;
  damage.bytes += bytes;
  damage.places++;
}

function recordAt(bytes: Buffer, at: number, salt: number): WalRecord | undefined {
  const start = at + HEADER_BYTES;
  if (start > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return undefined;
  if (crc32(bytes.subarray(at + 8, start), salt) !== bytes.readUInt32LE(at + 4)) return undefined;
  const length = bytes.readUInt32LE(at + 12);
  const metaLength = bytes.readUInt32LE(at + 16);
  if (start + length > bytes.length || metaLength > length) return undefined;
  if (sumOf(bytes.subarray(start, start + length), salt) !== bytes.readUInt32LE(at + 8)) return undefined;
  return {
    kind: bytes.readUInt32LE(at + 20) as RecordKind,
    seq: bytes.readDoubleLE(at + 24),
    receivedMs: bytes.readDoubleLE(at + 32),
    meta: bytes.subarray(start, start + metaLength),
    body: bytes.subarray(start + metaLength, start + length),
  };
}
