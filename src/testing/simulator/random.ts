/**
 * Keyed random draws: a generator is seeded by (key, stream) right where it is
 * needed, so a draw depends on *which* request and *which* step asks, never on
 * the order of events. Two runs of a system that differ in one step share all
 * other draws ("common random numbers"): a fault and its fix meet the same
 * arrivals, the same slow queries and the same replicas.
 *
 * The generator is xoroshiro64** (Blackman and Vigna, 2018), the key hash is
 * the finaliser of MurmurHash3 (Appleby). Keys have 32 bits: among a million
 * of them some hundred pairs share a key, in requests that have nothing to do
 * with each other.
 */
export class Draws {
  private s0 = 1;
  private s1 = 1;

  constructor(key: number, stream = 0) {
    this.seed(key, stream);
  }

  /** Starts the stream (key, stream) from its beginning. */
  seed(key: number, stream: number): this {
    this.s0 = mixKey(key, stream);
    this.s1 = mixKey(this.s0, 0x632be59b) | 1;
    return this;
  }

  next32(): number {
    const s0 = this.s0;
    const product = Math.imul(s0, 0x9e3779bb);
    const result = Math.imul((product << 5) | (product >>> 27), 5) >>> 0;
    const s1 = this.s1 ^ s0;
    this.s0 = ((s0 << 26) | (s0 >>> 6)) ^ s1 ^ (s1 << 9);
    this.s1 = (s1 << 13) | (s1 >>> 19);
    return result;
  }

  /** Between 0 and 1, both excluded. */
  uniform(): number {
    return ((this.next32() >>> 5) * 2 ** 26 + (this.next32() >>> 6) + 0.5) / 2 ** 53;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** A whole number of low..high, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor((high - low + 1) * this.uniform());
  }

  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(from.length * this.uniform())]!;
  }

  /** Standard normal (Box and Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  exponential(mean: number): number {
    return -mean * Math.log(this.uniform());
  }

  /** A new order of the same things (Fisher and Yates). */
  shuffled<T>(from: readonly T[]): T[] {
    const out = [...from];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.whole(0, i);
      [out[i], out[j]] = [out[j]!, out[i]!];
    }
    return out;
  }
}

/** Key of part `part` of what `key` names; unsigned 32 bits. */
export function mixKey(key: number, part: number): number {
  let h = (key ^ Math.imul(part + 0x7f4a7c15, 0x9e3779b1)) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Key of a name, for streams that are named rather than numbered (FNV-1a, then mixed). */
export function nameKey(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  return mixKey(h, name.length);
}
