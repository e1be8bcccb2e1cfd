/**
 * Who makes a collector run, from a profile whose collections have no stack (V8's).
 *
 * A collection begins when an allocation finds no room: each stands for as many bytes as the one before, however long it takes,
 * so that collections are counted, not their time. The function that asked was running when it began, and goes on
 * after it: what was sampled right before and right after bears witness, by half each where both are known. A thread that
 * had nothing to do, or ran no function with a source, is no witness.
 *
 * Samples have to come in the order of time, per thread.
 */
export class CollectionStarts {
  /** per thread: function that was sampled last; -1 for none */
  private readonly before: Int32Array;
  /** per thread: 1 while it collects */
  private readonly isCollecting: Uint8Array;
  private readonly weights = new Map<number, number>();
  private count = 0;
  private value = 0;

  constructor(threads: number) {
    this.before = new Int32Array(threads).fill(-1);
    this.isCollecting = new Uint8Array(threads);
  }

  /** A sample of something else; frame: its function, -1 where it is idle or has none. */
  ran(thread: number, frame: number): void {
    if (this.isCollecting[thread] === 1) {
      this.isCollecting[thread] = 0;
      const witnesses = [this.before[thread]!, frame].filter((one) => one >= 0);
      for (const one of witnesses) this.weights.set(one, (this.weights.get(one) ?? 0) + 1 / witnesses.length);
    }
    this.before[thread] = frame;
  }

  collected(thread: number, value: number): void {
    this.value += value;
    if (this.isCollecting[thread] === 1) return;
    this.isCollecting[thread] = 1;
    this.count++;
  }

  /** The value of all collections by function, as their counts tell; what no witness tells of is nobody's. None for too few. */
  *byFunction(): Generator<[frame: number, value: number]> {
    if (this.count < FEWEST) return;
    for (const [frame, weight] of this.weights) yield [frame, (this.value * weight) / this.count];
  }
}

/** Of ten collections a function that allocates half of all begins 5 ± 1.6; of fewer, chance names one. */
const FEWEST = 10;
