const TWO_32 = 2 ** 32;

/**
 * Seeded pseudo-random numbers: sfc32 ("small fast counting") by Chris Doty-Humphrey, from PractRand,
 * in the public domain. 128 bits of state, period at least 2^32, average about 2^127; passes PractRand and
 * TestU01's BigCrush. Not for secrets.
 *
 * The same seed gives the same numbers on every machine: all arithmetic is on 32-bit integers.
 */
export class Random {
  private a = 0;
  private b: number;
  private c: number;
  private counter = 1;

  /** seed: any integer up to 2^53 in size; its low and high words start the state. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) throw new RangeError(`seed must be a safe integer, is ${seed}`);
    this.b = seed | 0;
    this.c = Math.floor(seed / TWO_32) | 0;
    // Seeds differ in few bits; PractRand's own seeding discards 12 outputs to spread them.
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** Uniform integer in 0 .. 2^32 - 1. */
  uint32(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1), a multiple of 2^-53. */
  uniform(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** Uniform integer in 0 .. n - 1 for n below 2^32; the bias is at most n / 2^32. */
  below(n: number): number {
    return Math.floor((this.uint32() * n) / TWO_32);
  }

  /**
   * Draws `draws` times from 0 .. counts.length - 1 and counts them; the same draws as `below` would make.
   * The state is in local variables during the loop: bootstrap spends its time here, 3 times as fast as by `below`.
   */
  tally(counts: Int32Array, draws: number): void {
    const scale = counts.length / TWO_32;
    let a = this.a;
    let b = this.b;
    let c = this.c;
    let counter = this.counter;
    for (let i = 0; i < draws; i++) {
      const sum = (a + b + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + sum) | 0;
      counts[((sum >>> 0) * scale) | 0]!++;
    }
    this.a = a;
    this.b = b;
    this.c = c;
    this.counter = counter;
  }
}
