import { grow } from "../model/string-pool.ts";

/** Bytes of a line that its place in the cache is computed from: the address, right-aligned, and some of the symbol. */
const KEY_BYTES = 24;
/** Pairs of entries, 1 MiB; a process that is sampled for minutes has some ten thousand distinct places in its code. */
const PAIRS = 1 << 14;
/** A longer line is read anew each time. */
const MAX_LINE = 64 * 1024;
/** Words of an entry: hash, start of its text, bytes of it (0: free), value. */
const WORDS = 4;
/** Text of entries at most, twice what as many lines have; where it is full, remembering starts anew. */
const TEXT_BYTES = 4 * 1024 * 1024;

/**
 * Lines of call chains with what they stand for, found by their whole text, line end included. `find` needs no look for
 * the end of the line: the entry says how long it would be, and comparing eight bytes at a time costs a fifth of
 * looking at each. Of two entries in one place the older one goes.
 */
export class PerfLineCache {
  /** What the line found last stands for. */
  value = 0;
  private readonly entries = new Int32Array(PAIRS * 2 * WORDS);
  private text = new Uint8Array(64 * 1024);
  private textWords = new DataView(this.text.buffer);
  private used = 0;

  /** Bytes of the line at `at`, its line end included, where it is known; else 0. */
  find(words: DataView, at: number): number {
    if (at + KEY_BYTES > words.byteLength) return 0;
    const { entries } = this;
    const hash = hashOf(words, at);
    const entry = placeOf(hash);
    if (entries[entry] === hash && this.matches(entry, words, at)) return entries[entry + 2]!;
    const older = entry + WORDS;
    if (entries[older] === hash && this.matches(older, words, at)) return entries[older + 2]!;
    return 0;
  }

  /** Remembers the line `bytes[start, end)`, of which the last byte is a line end. `words` are those of `bytes`. */
  add(bytes: Uint8Array, words: DataView, start: number, end: number, value: number): void {
    const size = end - start;
    if (size < KEY_BYTES || size > MAX_LINE || bytes.subarray(start, end).includes(0)) return;
    if (this.used + size > this.text.length) this.makeRoom();
    const { entries } = this;
    const hash = hashOf(words, start);
    const entry = placeOf(hash);
    for (let i = entry; i < entry + WORDS; i++) entries[i + WORDS] = entries[i]!;
    entries[entry] = hash;
    entries[entry + 1] = this.used;
    entries[entry + 2] = size;
    entries[entry + 3] = value;
    this.text.set(bytes.subarray(start, end), this.used);
    this.used += size;
  }

  private makeRoom(): void {
    if (this.text.length < TEXT_BYTES) {
      this.text = grow(this.text, Uint8Array, 0);
      this.textWords = new DataView(this.text.buffer);
    } else {
      this.entries.fill(0);
      this.used = 0;
    }
  }

  /**
   * Eight bytes at a time, the last eight overlapping, as doubles: these are equal only where their bits are, but for
   * zeros of two signs (`add` takes no line with a zero byte) and for those that are not equal to themselves, which are
   * read anew each time. 1.7x of four bytes at a time.
   */
  private matches(entry: number, words: DataView, at: number): boolean {
    const { textWords, entries } = this;
    const size = entries[entry + 2]!;
    if (size === 0 || at + size > words.byteLength) return false;
    const from = entries[entry + 1]!;
    const last = size - 8;
    for (let i = 0; i < last; i += 8)
      if (textWords.getFloat64(from + i, true) !== words.getFloat64(at + i, true)) return false;
    if (textWords.getFloat64(from + last, true) !== words.getFloat64(at + last, true)) return false;
    this.value = entries[entry + 3]!;
    return true;
  }
}

const placeOf = (hash: number): number => (hash & (PAIRS - 1)) * 2 * WORDS;

function hashOf(words: DataView, at: number): number {
  let hash =
    Math.imul(words.getInt32(at + 4, true), 0x9e3779b1) ^
    Math.imul(words.getInt32(at + 8, true), 0x85ebca6b) ^
    Math.imul(words.getInt32(at + 12, true), 0xc2b2ae35) ^
    Math.imul(words.getInt32(at + 16, true), 0x27d4eb2f) ^
    Math.imul(words.getInt32(at + 20, true), 0x165667b1);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}
