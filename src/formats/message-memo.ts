import type { AttributeType } from "../model/attribute-table.ts";

/** Entries, a power of two: telemetry has hundreds to thousands of attributes that come again and again. */
const ENTRIES_LOG2 = 12;
/** 8-byte words that hold the messages of all entries: 512 KiB, half of a usual level-2 cache. */
const ARENA_WORDS = 1 << 16;
/** Longer messages are not kept; shorter ones have no whole word. */
const MAX_BYTES = 1024;
const MIN_BYTES = 8;
/** Words of an entry's meta data: length, place in the arena, key and type in 4 bytes each. */
const META = 4;

/**
 * Meaning (key, type and value) of KeyValue messages by their bytes: a fixed table
 * of messages that came at least twice, overwritten where two fall on one entry.
 *
 * Bytes are compared as 8-byte floating-point numbers, the widest that JavaScript reads
 * unboxed. Equal numbers have equal bytes but for zeros, which have a sign: messages with such
 * a word are not kept. NaN equals nothing and only makes a message unknown.
 */
export class MessageMemo {
  private readonly meta = new Int32Array(META << ENTRIES_LOG2);
  private readonly values = new Float64Array(1 << ENTRIES_LOG2);
  /** Hash of the last message that was not found in an entry: what comes once displaces nothing. */
  private readonly missed = new Int32Array(1 << ENTRIES_LOG2);
  private readonly arena = new Float64Array(ARENA_WORDS);
  private used = 0;
  private hash = 0;

  /** Entry of the message `[start, end)` of `words`, or -1. */
  find(words: DataView, start: number, end: number): number {
    const length = end - start;
    if (length < MIN_BYTES) return -1;
    const hash = hashOf(words, start, end);
    this.hash = hash;
    const meta = this.meta;
    const entry = hash >>> (32 - ENTRIES_LOG2);
    if (meta[entry * META] !== length) return -1;
    const arena = this.arena;
    let word = meta[entry * META + 1]!;
    const last = end - 8;
    // The last 8 bytes first, which overlap those before: values differ at their end.
    if (words.getFloat64(last, true) !== arena[word]) return -1;
    for (let at = start; at < last; at += 8) {
      if (words.getFloat64(at, true) !== arena[++word]) return -1;
    }
    return entry;
  }

  key(entry: number): number {
    return this.meta[entry * META + 2]!;
  }

  type(entry: number): AttributeType {
    return this.meta[entry * META + 3] as AttributeType;
  }

  value(entry: number): number {
    return this.values[entry]!;
  }

  /** Notes the message that `find` did not know last; keeps it when it was noted before. */
  note(words: DataView, start: number, end: number, key: number, type: AttributeType, value: number): void {
    const length = end - start;
    if (length < MIN_BYTES || length > MAX_BYTES) return;
    const hash = this.hash;
    const entry = hash >>> (32 - ENTRIES_LOG2);
    if (this.missed[entry] !== hash) {
      this.missed[entry] = hash;
      return;
    }
    const meta = this.meta;
    const size = ((length + 7) >> 3) << 3;
    // The place of the message before is taken over where it is as long.
    let word = meta[entry * META + 1]!;
    if (((meta[entry * META]! + 7) >> 3) << 3 !== size) {
      if (this.used + size / 8 > ARENA_WORDS) this.clear();
      word = this.used;
      this.used += size / 8;
    }
    meta[entry * META] = 0;
    if (!this.copy(words, start, end, word)) return;
    meta[entry * META] = length;
    meta[entry * META + 1] = word;
    meta[entry * META + 2] = key;
    meta[entry * META + 3] = type;
    this.values[entry] = value;
  }

  /** False when the message has a word that does not equal itself alone. */
  private copy(words: DataView, start: number, end: number, word: number): boolean {
    const arena = this.arena;
    let sound = true;
    const last = words.getFloat64(end - 8, true);
    if (last === 0) sound = false;
    arena[word] = last;
    for (let at = start; at < end - 8; at += 8) {
      const one = words.getFloat64(at, true);
      if (one === 0) sound = false;
      arena[++word] = one;
    }
    return sound;
  }

  private clear(): void {
    this.meta.fill(0);
    this.used = 0;
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
