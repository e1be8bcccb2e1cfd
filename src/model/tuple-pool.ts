import { grow } from "./string-pool.ts";

/**
 * Distinct tuples of `width` 32-bit integers, numbered in the order of their first
 * appearance. The tuples are the columns of a table, so the pool is also its store.
 *
 * A tuple costs a hash and one or two compares: no string key and no Map, which
 * would be 10x of that for the million stacks of a profile.
 */
export class TuplePool {
  private words: Int32Array = new Int32Array(1 << 10);
  /** Open addressing: row + 1, 0 = free. A power of two, load <= 1/2. */
  private slots = new Int32Array(1 << 10);
  private readonly width: number;
  private rows = 0;

  constructor(width: number) {
    this.width = width;
  }

  /** Number of distinct tuples. */
  get size(): number {
    return this.rows;
  }

  /** Row of the tuple; words beyond the pool's width are ignored. */
  intern(a: number, b: number, c = 0, d = 0): number {
    const { width, slots, words } = this;
    const mask = slots.length - 1;
    let slot = hashOf(a, b, c, d) & mask;
    for (let held = slots[slot]!; held !== 0; held = slots[slot]!) {
      const at = (held - 1) * width;
      if (
        words[at] === a &&
        words[at + 1] === b &&
        (width < 3 || words[at + 2] === c) &&
        (width < 4 || words[at + 3] === d)
      )
        return held - 1;
      slot = (slot + 1) & mask;
    }
    return this.add(a, b, c, d, slot);
  }

  /** Word `word` of all tuples, as a column. */
  column(word: number): Int32Array {
    const column = new Int32Array(this.rows);
    for (let row = 0; row < column.length; row++) column[row] = this.words[row * this.width + word]!;
    return column;
  }

  private add(a: number, b: number, c: number, d: number, slot: number): number {
    const row = this.rows++;
    const at = row * this.width;
    if (at + 4 > this.words.length) this.words = grow(this.words, Int32Array, at + 4);
    this.words[at] = a;
    this.words[at + 1] = b;
    if (this.width > 2) this.words[at + 2] = c;
    if (this.width > 3) this.words[at + 3] = d;
    this.slots[slot] = row + 1;
    if (this.rows * 2 > this.slots.length) this.rehash();
    return row;
  }

  private rehash(): void {
    const { words, width } = this;
    // By four while that is megabytes: each growth visits all tuples in random order.
    const slots = new Int32Array(this.slots.length * (this.slots.length < 1 << 22 ? 4 : 2));
    const mask = slots.length - 1;
    for (let row = 0; row < this.rows; row++) {
      const at = row * width;
      const c = width > 2 ? words[at + 2]! : 0;
      const d = width > 3 ? words[at + 3]! : 0;
      let slot = hashOf(words[at]!, words[at + 1]!, c, d) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = row + 1;
    }
    this.slots = slots;
  }
}

function hashOf(a: number, b: number, c: number, d: number): number {
  let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35) ^ Math.imul(d, 0x27d4eb2f);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}
