/** Bytes of distinct strings that one pool holds at most: what an Int32 can address. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * Strings of a table, each kept once as UTF-8 bytes and decoded to a JavaScript
 * string only when somebody reads it. Id 0 is the empty string.
 *
 * Decoders intern straight from the received bytes: a 1M-span file has some 10M
 * attribute strings but only thousands of distinct ones, so the hot path is
 * "hash, compare, found" without ever making a string.
 */
export class StringPool {
  /** UTF-8 of all strings, one behind the other. */
  private bytes = new Uint8Array(1 << 16);
  private words: DataView = new DataView(this.bytes.buffer);
  /** Start of string i in `bytes`; start of i + 1 is its end. Int32, not Float64, for fast indexing; see MAX_BYTES. */
  private starts = new Int32Array(1 << 10);
  /** Open addressing: id + 1 (0 = free) and hash side by side, for one cache line. A power of two of pairs, load <= 1/2. */
  private slots = new Int32Array(1 << 12);
  private decoded: (string | undefined)[] = [""];
  private count = 1;
  private readonly idByString = new Map<string, number>();
  /** The array read last and its 4-byte view: decoders intern thousands of strings of one array. */
  private source: Uint8Array = new Uint8Array(0);
  private sourceWords: DataView = new DataView(this.source.buffer);

  /** Number of distinct strings, the empty one included. New strings get ascending ids. */
  get size(): number {
    return this.count;
  }

  /** Id of the UTF-8 bytes `source[start, end)`; equal bytes have equal ids. */
  internBytes(source: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length === 0) return 0;
    if (source !== this.source) this.view(source);
    const hash = hashBytes(source, this.sourceWords, start, length);
    const slots = this.slots;
    const mask = slots.length - 2;
    let slot = (hash << 1) & mask;
    for (;;) {
      const held = slots[slot]!;
      if (held === 0) break;
      if (slots[slot + 1] === hash && this.matches(held - 1, source, start, length)) return held - 1;
      slot = (slot + 2) & mask;
    }
    return this.add(source, start, end, hash, slot);
  }

  /** Id of a JavaScript string. */
  intern(text: string): number {
    if (text === "") return 0;
    const known = this.idByString.get(text);
    if (known !== undefined) return known;
    const utf8 = text.length * 3 <= scratch.length ? scratch : new Uint8Array(text.length * 3);
    const id = this.internBytes(utf8, 0, encodeUtf8(text, utf8));
    this.idByString.set(text, id);
    return id;
  }

  /** The string with this id; bytes that are not UTF-8 read as U+FFFD, as in WHATWG's decoder. */
  get(id: number): string {
    const known = this.decoded[id];
    if (known !== undefined) return known;
    if (id < 0 || id >= this.count) throw new RangeError(`string id ${id} of ${this.count}`);
    const text = decodeUtf8(this.bytes, this.starts[id]!, this.starts[id + 1]!);
    // Filled in order: an array with holes would become a slow dictionary.
    while (this.decoded.length < id) this.decoded.push(undefined);
    this.decoded[id] = text;
    return text;
  }

  /** Whether string `id` equals these bytes. */
  equalsBytes(id: number, source: Uint8Array, start: number, end: number): boolean {
    if (source !== this.source) this.view(source);
    return this.matches(id, source, start, end - start);
  }

  /** Bytes of string `id`. */
  lengthOf(id: number): number {
    return this.starts[id + 1]! - this.starts[id]!;
  }

  /** Writes the bytes of string `id` to `target` from `at` on; returns the position behind them. */
  copyTo(id: number, target: Uint8Array, at: number): number {
    const end = this.starts[id + 1]!;
    const from = this.starts[id]!;
    // Below some 100 bytes a loop beats `set` and its temporary array.
    if (end - from >= 100) target.set(this.bytes.subarray(from, end), at);
    else for (let i = from, o = at; i < end; i++, o++) target[o] = this.bytes[i]!;
    return at + end - from;
  }

  /** Bytes held, for memory budgets. */
  get byteLength(): number {
    return this.bytes.length + this.starts.byteLength + this.slots.byteLength;
  }

  /** Forgets the array read last, so that a decoder's buffer can be freed. */
  releaseSource(): void {
    this.view(new Uint8Array(0));
  }

  private view(source: Uint8Array): void {
    this.source = source;
    this.sourceWords = new DataView(source.buffer, source.byteOffset, source.byteLength);
  }

  /** `source` is the array of `sourceWords`. Four bytes at a time, the last four overlapping: 2x the speed of bytes. */
  private matches(id: number, source: Uint8Array, start: number, length: number): boolean {
    const from = this.starts[id]!;
    if (this.starts[id + 1]! - from !== length) return false;
    if (length < 4) {
      for (let i = 0; i < length; i++) if (this.bytes[from + i] !== source[start + i]) return false;
      return true;
    }
    const words = this.words;
    const sourceWords = this.sourceWords;
    const last = length - 4;
    // The ends first: numbers and ids in names of telemetry stand there.
    if (words.getInt32(from + last) !== sourceWords.getInt32(start + last)) return false;
    for (let i = 0; i < last; i += 4) {
      if (words.getInt32(from + i) !== sourceWords.getInt32(start + i)) return false;
    }
    return true;
  }

  private add(source: Uint8Array, start: number, end: number, hash: number, freeSlot: number): number {
    const id = this.count;
    if (id + 2 > this.starts.length) this.starts = grow(this.starts, Int32Array, id + 2);
    const from = this.starts[id]!;
    const to = from + (end - start);
    if (to > MAX_BYTES) throw new RangeError(`distinct strings of more than ${MAX_BYTES} bytes in one table`);
    if (to > this.bytes.length) {
      this.bytes = grow(this.bytes, Uint8Array, to);
      this.words = new DataView(this.bytes.buffer);
    }
    // Below some 100 bytes a loop beats `set` and its temporary array.
    if (end - start < 100) for (let i = start, o = from; i < end; i++, o++) this.bytes[o] = source[i]!;
    else this.bytes.set(source.subarray(start, end), from);
    this.count++;
    this.starts[id + 1] = to;
    this.slots[freeSlot] = id + 1;
    this.slots[freeSlot + 1] = hash;
    if (this.count * 4 > this.slots.length) this.rehash();
    return id;
  }

  private rehash(): void {
    const old = this.slots;
    const slots = new Int32Array(old.length * 2);
    const mask = slots.length - 2;
    for (let from = 0; from < old.length; from += 2) {
      if (old[from] === 0) continue;
      let slot = (old[from + 1]! << 1) & mask;
      while (slots[slot] !== 0) slot = (slot + 2) & mask;
      slots[slot] = old[from]!;
      slots[slot + 1] = old[from + 1]!;
    }
    this.slots = slots;
  }
}

type Growable = Float64Array | Int32Array | Uint32Array | Uint8Array | Uint16Array;

/** A copy of `column` with room for at least `need` elements, at least doubled. */
export function grow<T extends Growable>(column: T, make: new (length: number) => T, need: number): T {
  const bigger = new make(Math.max(need, column.length * 2));
  bigger.set(column as never);
  return bigger;
}

/**
 * Hash of all bytes, four at a time. All, not a sample: SQL statements and urls
 * differ anywhere, and a sample would put those that differ elsewhere into one
 * chain, quadratic in their number.
 */
function hashBytes(source: Uint8Array, words: DataView, start: number, length: number): number {
  let hash = Math.imul(length, 0x9e3779b1) | 0;
  if (length < 4) {
    for (let i = start; i < start + length; i++) hash = Math.imul(hash ^ source[i]!, 0x01000193);
  } else {
    const last = start + length - 4;
    for (let i = start; i < last; i += 4) {
      hash = Math.imul(hash ^ words.getInt32(i, true), 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ words.getInt32(last, true), 0x85ebca6b);
  }
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  hash ^= hash >>> 13;
  return hash;
}

/*
 * UTF-8 both ways. This layer is compiled without DOM and Node types, where
 * TextEncoder would come from; telemetry is nearly all ASCII, for which the loop
 * below is as fast.
 */
/** For short strings: an array of its own for each would cost as much as all else of interning it. */
const scratch = new Uint8Array(4096);

/** Writes `text` to `out`, which has room for three bytes a character; returns how many it took. */
function encodeUtf8(text: string, out: Uint8Array): number {
  let n = 0;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code >= 0xd800 && code <= 0xdfff) {
      const low = text.charCodeAt(i + 1);
      if (code <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        i++;
      } else {
        code = 0xfffd;
      }
    }
    if (code < 0x80) {
      out[n++] = code;
    } else if (code < 0x800) {
      out[n++] = 0xc0 | (code >> 6);
      out[n++] = 0x80 | (code & 63);
    } else if (code < 0x10000) {
      out[n++] = 0xe0 | (code >> 12);
      out[n++] = 0x80 | ((code >> 6) & 63);
      out[n++] = 0x80 | (code & 63);
    } else {
      out[n++] = 0xf0 | (code >> 18);
      out[n++] = 0x80 | ((code >> 12) & 63);
      out[n++] = 0x80 | ((code >> 6) & 63);
      out[n++] = 0x80 | (code & 63);
    }
  }
  return n;
}

function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  // fromCharCode takes its arguments on the stack: chunks of 4096 stay far from its limit.
  let text = "";
  let codes: number[] = [];
  for (let i = start; i < end;) {
    const byte = bytes[i]!;
    if (byte < 0x80) {
      codes.push(byte);
      i++;
    } else {
      const size = sequenceLength(bytes, i, end);
      const code = size > 0 ? codePoint(bytes, i, size) : 0xfffd;
      if (code > 0xffff) codes.push(0xd800 + ((code - 0x10000) >> 10), 0xdc00 + ((code - 0x10000) & 0x3ff));
      else codes.push(code);
      i += Math.abs(size);
    }
    if (codes.length >= 4096) {
      text += String.fromCharCode(...codes);
      codes = [];
    }
  }
  return text + String.fromCharCode(...codes);
}

/** Whether `bytes[start, end)` is UTF-8 as in RFC 3629: no overlong forms, no surrogates. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end;) {
    if (bytes[i]! < 0x80) {
      i++;
      continue;
    }
    const size = sequenceLength(bytes, i, end);
    if (size < 0) return false;
    i += size;
  }
  return true;
}

/**
 * Bytes of the multi-byte sequence at `at`; negative for an invalid one: minus the
 * bytes that one U+FFFD stands for ("maximal subpart", WHATWG Encoding 4.4).
 */
function sequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at]!;
  const size = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xc2 && lead < 0xe0 ? 2 : 0;
  if (size === 0) return -1;
  // The second byte's range shuts out overlong forms (E0, F0), surrogates (ED) and what lies beyond U+10FFFF (F4).
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  for (let i = 1; i < size; i++) {
    const next = at + i < end ? bytes[at + i]! : 0;
    if (next < (i === 1 ? low : 0x80) || next > (i === 1 ? high : 0xbf)) return -i;
  }
  return size;
}

function codePoint(bytes: Uint8Array, at: number, size: number): number {
  let code = bytes[at]! & (0xff >> (size + 1));
  for (let i = 1; i < size; i++) code = (code << 6) | (bytes[at + i]! & 63);
  return code;
}
