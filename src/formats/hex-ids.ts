/** Value of each ASCII hex digit, 255 for any other byte. */
const HEX = new Uint8Array(256).fill(255);
for (let i = 0; i < 16; i++) {
  HEX["0123456789abcdef".charCodeAt(i)] = i;
  HEX["0123456789ABCDEF".charCodeAt(i)] = i;
}

/**
 * Reads the hex digits `bytes[start, end)` into `words` big-endian 32-bit words at
 * `out[at]`, filled with zeros on the left when there are fewer digits than fit.
 * Returns false, with the words undefined, when there are none, too many, or a byte
 * that is no hex digit.
 */
export function readHexId(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint32Array,
  at: number,
  words: number,
): boolean {
  const digits = end - start;
  if (digits < 1 || digits > 8 * words) return false;
  let seen = 0;
  let from = end;
  for (let word = words - 1; word >= 0; word--) {
    const to = from;
    from = Math.max(start, to - 8);
    let value = 0;
    for (let i = from; i < to; i++) {
      const digit = HEX[bytes[i]!]!;
      seen |= digit;
      value = (value << 4) | digit;
    }
    out[at + word] = value;
  }
  return seen < 16;
}

/**
 * Reads the base64 text `bytes[start, end)` of exactly `words` 32-bit words, as
 * exporters write ids that take protobuf's JSON mapping literally. False when it
 * is not that.
 */
export function readBase64Id(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint32Array,
  at: number,
  words: number,
): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) return false;
  const decoded = Buffer.from(text, "base64");
  if (decoded.length !== 4 * words) return false;
  for (let i = 0; i < words; i++) out[at + i] = decoded.readUInt32BE(4 * i);
  return true;
}

/**
 * Reads an id that its format treats as opaque text: hex digits by value, any
 * other text ("root", "span-7") through a hash in the last two words, which is the
 * same in every file and run. Its 63 bits make a meeting of any two of a million
 * ids a matter of 1 in 18 million (10^12 / 2 pairs of 2^63). False for the empty
 * text and for zero, which means "none".
 */
export function readOpaqueId(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint32Array,
  at: number,
  words: number,
): boolean {
  if (start === end) return false;
  if (!readHexId(bytes, start, end, out, at, words)) {
    out.fill(0, at, at + words);
    out[at + words - 2] = hash32(bytes, start, end, 0x9e3779b9);
    out[at + words - 1] = hash32(bytes, start, end, 0x85ebca6b) | 1;
  }
  return !isZeroId(out, at, words);
}

export function isZeroId(column: Uint32Array, at: number, words: number): boolean {
  for (let i = at; i < at + words; i++) if (column[i] !== 0) return false;
  return true;
}

/** MurmurHash3's mixing (Appleby, public domain), one byte at a time. */
function hash32(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed;
  for (let i = start; i < end; i++) {
    let k = Math.imul(bytes[i]!, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    hash ^= Math.imul(k, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= end - start;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
