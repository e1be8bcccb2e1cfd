import { grow } from "../model/string-pool.ts";

/** Bytes of a line that its place in the cache is computed from: the address, right-aligned, and some of the symbol. */
const KEY_BYTES = 24;
/** Slots, 512 KiB, two to a place; 15 s of a busy machine at 1 kHz have some 60,000 distinct lines, most of them once. */
const SLOTS = 1 << 16;
/** A longer line is read anew each time. */
const MAX_LINE = 64 * 1024;
/** Words of an entry: start of its text, bytes of it, what it stands for, the entry of the line that followed it last. */
const WORDS = 4;
/** Text of entries at most; where it is full, remembering starts anew. */
const TEXT_BYTES = 8 * 1024 * 1024;

/**
 * Lines of call chains with what they stand for, found by their whole text, line end included. Reading needs no look for
 * the end of a line: the entry says how long it would be, and comparing eight bytes at a time costs a fifth of
 * looking at each. A line is tried first that followed the one before it last time: entries and texts of a chain lie
 * one behind the other, where a look by hash costs two misses of the cache.
 */
export class PerfLineCache {
  /** Position behind the lines read last. */
  at = 0;
  /** hash and entry (0: free) */
  private readonly slots = new Int32Array(SLOTS * 2);
  /** Entry 0 is none: of no bytes, so that no line matches it. */
  private entries = new Int32Array(1 << 10);
  private entriesEnd = WORDS;
  private text = new Uint8Array(64 * 1024);
  private textWords = new DataView(this.text.buffer);
  private used = 0;
  /** entry of the line read or added last; 0 at the beginning of a chain */
  private previous = 0;

  /** A new chain begins. */
  begin(): void {
    this.previous = 0;
  }

  /**
   * Puts what the lines from `at` on stand for behind the `count` first of `values`, up to the first line that is not
   * known, or until `values` is full. Returns how many values there are then; the position behind is left in `at`.
   *
   * One loop with all it needs in local variables: twice as fast as a call for each line.
   */
  readKnown(words: DataView, at: number, values: Int32Array, count: number): number {
    const { entries, textWords, slots } = this;
    const end = words.byteLength;
    let { previous } = this;
    while (count < values.length && at + KEY_BYTES <= end) {
      let entry = entries[previous + 3]!;
      let size = matching(entries, entry, textWords, words, at);
      if (size === 0) {
        const hash = hashOf(words, at);
        const slot = placeOf(hash);
        entry = slots[slot] === hash ? slots[slot + 1]! : 0;
        size = matching(entries, entry, textWords, words, at);
        if (size === 0) {
          entry = slots[slot + 2] === hash ? slots[slot + 3]! : 0;
          size = matching(entries, entry, textWords, words, at);
          if (size === 0) break;
        }
        if (previous !== 0) entries[previous + 3] = entry;
      }
      values[count++] = entries[entry + 2]!;
      at += size;
      previous = entry;
    }
    this.at = at;
    this.previous = previous;
    return count;
  }

  /** Remembers the line `bytes[start, end)`, of which the last byte is a line end; of those in one place the older one is forgotten. `words` are those of `bytes`. */
  add(bytes: Uint8Array, words: DataView, start: number, end: number, value: number): void {
    const size = end - start;
    const { previous } = this;
    this.previous = 0;
    if (size < KEY_BYTES || size > MAX_LINE) return;
    const hasRoom = this.makeRoom(size);
    const { text, used } = this;
    for (let i = 0; i < size; i++) {
      const byte = bytes[start + i]!;
      if (byte === 0) return;
      text[used + i] = byte;
    }
    const entry = this.entriesEnd;
    this.entries[entry] = used;
    this.entries[entry + 1] = size;
    this.entries[entry + 2] = value;
    this.entries[entry + 3] = 0;
    this.entriesEnd += WORDS;
    this.used += size;
    if (hasRoom && previous !== 0) this.entries[previous + 3] = entry;
    this.previous = entry;
    const { slots } = this;
    const hash = hashOf(words, start);
    const slot = placeOf(hash);
    slots[slot + 2] = slots[slot]!;
    slots[slot + 3] = slots[slot + 1]!;
    slots[slot] = hash;
    slots[slot + 1] = entry;
  }

  /** False where all was forgotten for it. */
  private makeRoom(size: number): boolean {
    if (this.entriesEnd + WORDS > this.entries.length) this.entries = grow(this.entries, Int32Array, 0);
    if (this.used + size <= this.text.length) return true;
    if (this.text.length < TEXT_BYTES) {
      this.text = grow(this.text, Uint8Array, this.used + size);
      this.textWords = new DataView(this.text.buffer);
      return true;
    }
    this.slots.fill(0);
    this.entriesEnd = WORDS;
    this.used = 0;
    return false;
  }
}

/**
 * Bytes of the line at `at` where its text is that of `entry`; else 0. Eight bytes at a time, the last eight overlapping,
 * as doubles: these are equal only where their bits are, but for zeros of two signs (`add` takes no line with a zero
 * byte) and for those that are not equal to themselves, whose lines are read anew each time.
 */
function matching(entries: Int32Array, entry: number, text: DataView, words: DataView, at: number): number {
  const size = entries[entry + 1]!;
  if (size === 0 || at + size > words.byteLength) return 0;
  const from = entries[entry]!;
  const last = size - 8;
  // The last digits of the address first, in which lines that follow the same one differ.
  if (text.getFloat64(from + 10, true) !== words.getFloat64(at + 10, true)) return 0;
  for (let i = 0; i < last; i += 8) if (text.getFloat64(from + i, true) !== words.getFloat64(at + i, true)) return 0;
  return text.getFloat64(from + last, true) === words.getFloat64(at + last, true) ? size : 0;
}

const placeOf = (hash: number): number => (hash & (SLOTS / 2 - 1)) * 4;

function hashOf(words: DataView, at: number): number {
  let hash =
    Math.imul(words.getInt32(at + 8, true), 0x85ebca6b) ^
    Math.imul(words.getInt32(at + 12, true), 0xc2b2ae35) ^
    Math.imul(words.getInt32(at + 16, true), 0x27d4eb2f) ^
    Math.imul(words.getInt32(at + 20, true), 0x165667b1);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}
