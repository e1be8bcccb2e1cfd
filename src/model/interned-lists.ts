import {
  AttributeTableBuilder,
  type AttributeSink,
  type AttributeTable,
  type AttributeType,
} from "./attribute-table.ts";

/**
 * Attribute sets, each kept once: rows are added, then `close` gives the number of
 * the list that holds them, ascending by key and, of a key that came twice, with
 * the last value. Series of metrics are told apart by such a number.
 */
export class InternedLists implements AttributeSink {
  private readonly lists = new AttributeTableBuilder();
  /** Rows added since the last close: key, type, value. */
  private keys: number[] = [];
  private types: number[] = [];
  private values: number[] = [];
  private open = 0;
  /** List + 1 by hash, 0 for free; a power of two, at most half full. */
  private slots = new Int32Array(1 << 8);
  private hashes = new Int32Array(1 << 8);

  add(key: number, type: AttributeType, value: number): void {
    // Insertion keeps them sorted: there are few, and most come in the same order.
    let at = this.open;
    while (at > 0 && this.keys[at - 1]! > key) at--;
    if (at > 0 && this.keys[at - 1] === key) {
      this.types[at - 1] = type;
      this.values[at - 1] = value;
      return;
    }
    for (let i = this.open; i > at; i--) {
      this.keys[i] = this.keys[i - 1]!;
      this.types[i] = this.types[i - 1]!;
      this.values[i] = this.values[i - 1]!;
    }
    this.keys[at] = key;
    this.types[at] = type;
    this.values[at] = value;
    this.open++;
  }

  /** Forgets the rows added since the last close. */
  clear(): void {
    this.open = 0;
  }

  /** Number of the list of the rows added since the last close. */
  close(): number {
    const hash = this.hash();
    const mask = this.slots.length - 1;
    let slot = hash & mask;
    while (this.slots[slot] !== 0) {
      const list = this.slots[slot]! - 1;
      if (this.hashes[slot] === hash && this.isOpenList(list)) {
        this.open = 0;
        return list;
      }
      slot = (slot + 1) & mask;
    }
    for (let i = 0; i < this.open; i++) {
      this.lists.add(this.keys[i]!, this.types[i] as AttributeType, this.values[i]!);
    }
    this.open = 0;
    const list = this.lists.closeList();
    this.slots[slot] = list + 1;
    this.hashes[slot] = hash;
    if (2 * this.lists.listCount > this.slots.length) this.rehash();
    return list;
  }

  finish(): AttributeTable {
    return this.lists.finish();
  }

  private hash(): number {
    let hash = this.open;
    for (let i = 0; i < this.open; i++) {
      hash = Math.imul(hash ^ this.keys[i]!, 0x85ebca6b) ^ (hash >>> 15);
      hash = Math.imul(hash ^ this.types[i]!, 0xc2b2ae35) ^ (hash >>> 13);
      // Fractions below 2^-20 of a number are left to the comparison.
      const value = this.values[i]!;
      hash = Math.imul(hash ^ value ^ (value * 2 ** 20), 0x9e3779b1) ^ (hash >>> 16);
    }
    return hash;
  }

  private isOpenList(list: number): boolean {
    const { lists } = this;
    const from = lists.startOf(list);
    if (lists.startOf(list + 1) - from !== this.open) return false;
    for (let i = 0; i < this.open; i++) {
      if (!lists.equalsRow(from + i, this.keys[i]!, this.types[i]!, this.values[i]!)) return false;
    }
    return true;
  }

  private rehash(): void {
    const { slots: old, hashes: oldHashes } = this;
    this.slots = new Int32Array(2 * old.length);
    this.hashes = new Int32Array(2 * old.length);
    const mask = this.slots.length - 1;
    for (let i = 0; i < old.length; i++) {
      if (old[i] === 0) continue;
      let slot = oldHashes[i]! & mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = old[i]!;
      this.hashes[slot] = oldHashes[i]!;
    }
  }
}
