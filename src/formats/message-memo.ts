import type { AttributeType } from "../model/attribute-table.ts";

/** Entries, a power of two: telemetry has hundreds to thousands of attributes that come again and again. */
const ENTRIES_LOG2 = 12;
/** 8-byte words for the messages of all entries: 512 KiB, half of a usual level-2 cache. */
const ARENA_WORDS = 1 << 16;
/** Longer messages are not kept; shorter ones have no whole word. */
const MAX_BYTES = 1024;
const MIN_BYTES = 8;
/**
 * An entry in the arena, side by side for the sake of cache lines: the length and type in 4 bytes,
 * the key in 4, the value in 8, then the words of the message, the last one first.
 */
const HEADER_WORDS = 2;

/**
 * Meaning (key, type and value) of KeyValue messages by their bytes: a fixed table
 * of messages that came at least twice, overwritten where two fall on one entry.
 *
 * Bytes are compared as 8-byte floating-point numbers, the widest that JavaScript reads
 * unboxed. Equal numbers have equal bytes but for zeros, which have a sign: messages with such
 * a word are not kept. NaN equals nothing and only makes a message unknown.
 */
export class MessageMemo {
  /** Place in the arena by hash, 0 for none. */
  private readonly places = new Int32Array(1 << ENTRIES_LOG2);
  /** Hash of the last message that was not found in an entry: what comes once displaces nothing. */
  private readonly missed = new Int32Array(1 << ENTRIES_LOG2);
  private readonly arena = new Float64Array(ARENA_WORDS);
  private readonly halves = new Int32Array(this.arena.buffer);
  /** Word 0 stays empty: it is the entry of a message of length 0. */
  private used = HEADER_WORDS;
  private hash = 0;

  /** Entry of the message `[start, end)` of `words`, or 0. */
  find(words: DataView, start: number, end: number): number {
    const length = end - start;
    if (length < MIN_BYTES) return 0;
    const hash = hashOf(words, start, end);
    this.hash = hash;
    const entry = this.places[hash >>> (32 - ENTRIES_LOG2)]!;
    if (this.halves[2 * entry]! >> 2 !== length) return 0;
    const arena = this.arena;
    const last = end - 8;
    // The last 8 bytes first, which overlap those before: values differ at their end.
    if (words.getFloat64(last, true) !== arena[entry + HEADER_WORDS]) return 0;
    let word = entry + HEADER_WORDS + 1;
    for (let at = start; at < last; at += 8) {
      if (words.getFloat64(at, true) !== arena[word++]) return 0;
    }
    return entry;
  }

  key(entry: number): number {
    return this.halves[2 * entry + 1]!;
  }

  type(entry: number): AttributeType {
    return (this.halves[2 * entry]! & 3) as AttributeType;
  }

  value(entry: number): number {
    return this.arena[entry + 1]!;
  }

  /** Notes the message that `find` did not know last; keeps it when it was noted before. */
  note(words: DataView, start: number, end: number, key: number, type: AttributeType, value: number): void {
    const length = end - start;
    if (length < MIN_BYTES || length > MAX_BYTES) return;
    const slot = this.hash >>> (32 - ENTRIES_LOG2);
    if (this.missed[slot] !== this.hash) {
      this.missed[slot] = this.hash;
      return;
    }
    const size = (length + 7) >> 3;
    let entry = this.places[slot]!;
    // The place of the message before is taken over where it is as long.
    if (((this.halves[2 * entry]! >> 2) + 7) >> 3 !== size) {
      if (this.used + HEADER_WORDS + size > ARENA_WORDS) this.clear();
      entry = this.used;
      this.used += HEADER_WORDS + size;
      this.places[slot] = entry;
    }
    this.halves[2 * entry] = this.copy(words, start, end, entry + HEADER_WORDS) ? (length << 2) | type : 0;
    this.halves[2 * entry + 1] = key;
    this.arena[entry + 1] = value;
  }

  /** False when the message has a word that does not equal itself alone. */
  private copy(words: DataView, start: number, end: number, word: number): boolean {
    const arena = this.arena;
    const last = words.getFloat64(end - 8, true);
    let sound = last !== 0;
    arena[word] = last;
    for (let at = start; at < end - 8; at += 8) {
      const one = words.getFloat64(at, true);
      if (one === 0) sound = false;
      arena[++word] = one;
    }
    return sound;
  }

  private clear(): void {
    this.places.fill(0);
    this.used = HEADER_WORDS;
  }
}

/** Of the length and 12 bytes, from the end and the middle: the whole is compared anyway. */
function hashOf(words: DataView, start: number, end: number): number {
  const length = end - start;
  let hash = Math.imul(words.getInt32(end - 4, true) ^ length, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ words.getInt32(end - 8, true), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 13) ^ words.getInt32(start + ((length - 4) >> 1), true), 0x9e3779b1);
  return hash ^ (hash >>> 16);
}
