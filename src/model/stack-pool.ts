import { grow } from "./string-pool.ts";

/**
 * Distinct chains as a tree: a row for each pair of a caller's row and a member (a frame, a name), numbered in the
 * order of their first appearance, so callers come before their callees. The columns are those of a StackTree.
 *
 * The callee that a row had first is kept beside it, and only its others are hashed. In profiles nine rows in ten have
 * one callee: a chain that begins like none before is appended without a look-up, where a hash table of all rows costs
 * a miss of the cache for each, 4x of the time for a million rows.
 */
export class StackPool {
  private parents = new Int32Array(1 << 10);
  private members = new Int32Array(1 << 10);
  /** row + 1 of the first callee of row r at r + 1, of no row at 0; 0 for none */
  private firsts = new Int32Array((1 << 10) + 1);
  /** All callees but the first: open addressing, row + 1, 0 = free. A power of two, load <= 1/2. */
  private slots = new Int32Array(1 << 8);
  private hashed = 0;
  private rows = 0;

  /** Number of distinct chains. */
  get size(): number {
    return this.rows;
  }

  /** Row of the chain that ends with `member`, called by chain `parent` (-1: by nobody). */
  intern(parent: number, member: number): number {
    const first = this.firsts[parent + 1]!;
    if (first !== 0 && this.members[first - 1] === member) return first - 1;
    if (first !== 0) return this.other(parent, member);
    const row = this.add(parent, member);
    this.firsts[parent + 1] = row + 1;
    return row;
  }

  /** row of the caller, smaller than the row's own; -1 for none. A view: valid until the next `intern`. */
  get parent(): Int32Array {
    return this.parents.subarray(0, this.rows);
  }

  /** The same for the last member of each chain. */
  get member(): Int32Array {
    return this.members.subarray(0, this.rows);
  }

  private other(parent: number, member: number): number {
    const { slots, parents, members } = this;
    const mask = slots.length - 1;
    let slot = hashOf(parent, member) & mask;
    for (let held = slots[slot]!; held !== 0; held = slots[slot]!) {
      if (members[held - 1] === member && parents[held - 1] === parent) return held - 1;
      slot = (slot + 1) & mask;
    }
    const row = this.add(parent, member);
    slots[slot] = row + 1;
    if (++this.hashed * 2 > slots.length) this.rehash();
    return row;
  }

  private add(parent: number, member: number): number {
    const row = this.rows++;
    if (row === this.parents.length) {
      this.parents = grow(this.parents, Int32Array, row + 1);
      this.members = grow(this.members, Int32Array, row + 1);
      this.firsts = grow(this.firsts, Int32Array, row + 2);
    }
    this.parents[row] = parent;
    this.members[row] = member;
    return row;
  }

  private rehash(): void {
    const old = this.slots;
    const slots = new Int32Array(old.length * 4);
    const mask = slots.length - 1;
    for (const held of old) {
      if (held === 0) continue;
      let slot = hashOf(this.parents[held - 1]!, this.members[held - 1]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = held;
    }
    this.slots = slots;
  }
}

function hashOf(parent: number, member: number): number {
  let hash = Math.imul(parent, 0x9e3779b1) ^ Math.imul(member, 0x85ebca6b);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}
