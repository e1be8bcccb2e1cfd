/** `JsonKeys.find` and `JsonReader.nextKey`: a key that the table does not hold. */
export const UNKNOWN_KEY = -1;

/**
 * Known object keys, found by their bytes without making a string: keys are most
 * of the bytes of a JSON trace, and all but a few dozen of them are the same.
 *
 * `names` maps each spelling to a number of the caller's; several spellings may
 * share one. Throws a RangeError where two spellings are equal.
 */
export class JsonKeys {
  /** Open addressing, index of a spelling + 1, 0 = free. At most half full. */
  private readonly slots: Uint8Array;
  private readonly spellings: Uint8Array[] = [];
  private readonly numbers: number[] = [];

  constructor(names: Iterable<readonly [spelling: string, number: number]>) {
    const list = [...names];
    if (list.length > 127) throw new RangeError(`${list.length} keys; at most 127 fit the table`);
    this.slots = new Uint8Array(256);
    const encoder = new TextEncoder();
    for (const [spelling, number] of list) {
      const bytes = encoder.encode(spelling);
      let slot = slotOf(bytes, 0, bytes.length);
      for (; this.slots[slot] !== 0; slot = (slot + 1) & 255) {
        if (sameBytes(this.spellings[this.slots[slot]! - 1]!, bytes, 0)) throw new RangeError(`key ${spelling} twice`);
      }
      this.spellings.push(bytes);
      this.numbers.push(number);
      this.slots[slot] = this.spellings.length;
    }
  }

  /** Number of the key `bytes[start, end)`, or UNKNOWN_KEY. */
  find(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return UNKNOWN_KEY;
    for (let slot = slotOf(bytes, start, end); ; slot = (slot + 1) & 255) {
      const held = this.slots[slot]!;
      if (held === 0) return UNKNOWN_KEY;
      const spelling = this.spellings[held - 1]!;
      if (spelling.length === end - start && sameBytes(spelling, bytes, start)) return this.numbers[held - 1]!;
    }
  }
}

/** Every name with its number; camelCase names in snake_case too, as protobuf's JSON mapping allows. */
export function camelAndSnake(names: Readonly<Record<string, number>>): [string, number][] {
  const spellings = new Map<string, number>();
  for (const [name, number] of Object.entries(names)) {
    spellings.set(name, number);
    spellings.set(
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      number,
    );
  }
  return [...spellings];
}

/** Length, first, middle and last byte tell the keys of all our formats apart with few collisions. */
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  return (length * 7 + bytes[start]! * 3 + bytes[start + (length >> 1)]! * 5 + bytes[end - 1]!) & 255;
}

function sameBytes(spelling: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < spelling.length; i++) if (spelling[i] !== bytes[start + i]) return false;
  return true;
}
