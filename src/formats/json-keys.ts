/** `JsonKeys.find` and `JsonReader.nextKey`: a key that the table does not hold. */
export const UNKNOWN_KEY = -1;

const QUOTE = 0x22;

/**
 * Known object keys, found by their bytes without making a string: keys are most
 * of the bytes of a JSON trace, and all but a few dozen of them are the same.
 * The first two bytes leave one to four spellings to compare with.
 *
 * `names` maps each spelling to a number of the caller's; several spellings may
 * share one. Throws a RangeError where two spellings are equal or one is empty.
 */
export class JsonKeys {
  /** Bytes of each spelling and the quote behind it. */
  private readonly spellings: Uint8Array[] = [];
  private readonly numbers: number[] = [];
  /** First spelling of each hash of two bytes, and the one after each spelling; -1 for none. */
  private readonly first = new Int16Array(256).fill(-1);
  private readonly next: number[] = [];
  /** Length of the key that `match` found. */
  matchedLength = 0;

  constructor(names: Iterable<readonly [spelling: string, number: number]>) {
    const encoder = new TextEncoder();
    for (const [spelling, number] of names) {
      const bytes = encoder.encode(`${spelling}"`);
      if (bytes.length === 1 || this.match(bytes, 0) !== UNKNOWN_KEY)
        throw new RangeError(`key "${spelling}" empty or twice`);
      const hash = hashOf(bytes[0]!, bytes[1]!);
      this.next.push(this.first[hash]!);
      this.first[hash] = this.spellings.length;
      this.spellings.push(bytes);
      this.numbers.push(number);
    }
  }

  /** Number of the key that begins at `bytes[at]` and has a quote behind it, or UNKNOWN_KEY. */
  match(bytes: Uint8Array, at: number): number {
    if (at + 1 >= bytes.length) return UNKNOWN_KEY;
    for (let i = this.first[hashOf(bytes[at]!, bytes[at + 1]!)]!; i >= 0; i = this.next[i]!) {
      const spelling = this.spellings[i]!;
      const length = spelling.length;
      if (at + length > bytes.length || !sameBytes(spelling, bytes, at, length)) continue;
      this.matchedLength = length - 1;
      return this.numbers[i]!;
    }
    return UNKNOWN_KEY;
  }

  /** Number of the key `bytes[start, end)`, or UNKNOWN_KEY. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length === 0) return UNKNOWN_KEY;
    for (
      let i = this.first[hashOf(bytes[start]!, length === 1 ? QUOTE : bytes[start + 1]!)]!;
      i >= 0;
      i = this.next[i]!
    ) {
      const spelling = this.spellings[i]!;
      if (spelling.length === length + 1 && sameBytes(spelling, bytes, start, length)) return this.numbers[i]!;
    }
    return UNKNOWN_KEY;
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

const hashOf = (first: number, second: number): number => (first * 31 + second) & 255;

function sameBytes(spelling: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (spelling[i] !== bytes[at + i]) return false;
  return true;
}
