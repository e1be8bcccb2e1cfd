/** What the hook of the main thread hands to those of its workers, as environment data (worker_threads). */
export interface WorkerSettings {
  /** cells of a WorkerBoard */
  readonly cells: Int32Array;
  readonly isProfiling: boolean;
  readonly isMeasuring: boolean;
  readonly samplesPerSecond: number;
  readonly windowMs: number;
  readonly links: "async" | "sync" | "off";
  readonly isTalking: boolean;
}

/** The name of the environment data, and of the channel by which workers tell the main thread. */
export const WORKER_KEY = "longpole/node";

const QUEUED_BYTES = 0;
const LOST = 1;
const LAST_EARLY_SECOND = 2;
const ENDED_UNSEEN = 3;
const FIRST_SLOT = 4;
/** V8 wakes each thread that it profiles 49 times a second: at some 50 µs a sample 16 of them take 4 % of one core. */
const SLOTS = 16;
/** Starting a profiler takes 30 to 60 ms of a thread: one of them in five seconds is about 1 % of a core. */
const SECONDS_BETWEEN_EARLY = 5;
/** As much may wait for a main thread that does not come to its messages. */
const MAX_QUEUED_BYTES = 4 << 20;

/**
 * What the threads of a process have to agree on, in memory that they share: which workers are profiled, when one was from
 * its first moment on, and how much waits for the main thread. A worker can be ended at any instruction, so whoever began it
 * clears its slot.
 */
export class WorkerBoard {
  readonly cells: Int32Array;

  constructor(cells: Int32Array = new Int32Array(new SharedArrayBuffer(4 * (FIRST_SLOT + SLOTS)))) {
    this.cells = cells;
  }

  /** Reports that were left out, as too much waited for the main thread. */
  get lost(): number {
    return Atomics.load(this.cells, LOST);
  }

  /** Workers that ended before they were looked at. */
  get endedUnseen(): number {
    return Atomics.load(this.cells, ENDED_UNSEEN);
  }

  /** Workers that are profiled now. */
  get profiled(): number {
    let count = 0;
    for (let slot = FIRST_SLOT; slot < FIRST_SLOT + SLOTS; slot++) if (Atomics.load(this.cells, slot) !== 0) count++;
    return count;
  }

  /** Whether this worker may be profiled; it may until `release`. threadId: from 1 on. */
  claim(threadId: number): boolean {
    for (let slot = FIRST_SLOT; slot < FIRST_SLOT + SLOTS; slot++)
      if (Atomics.compareExchange(this.cells, slot, 0, threadId) === 0) return true;
    return false;
  }

  release(threadId: number): void {
    for (let slot = FIRST_SLOT; slot < FIRST_SLOT + SLOTS; slot++)
      Atomics.compareExchange(this.cells, slot, threadId, 0);
  }

  /**
   * Whether a worker that begins now may be looked at from its first moment on, before it is known to live long enough. A job
   * that gives its thread one long piece of work is seen in no other way.
   */
  mayBeEarly(nowSeconds: number): boolean {
    const last = Atomics.load(this.cells, LAST_EARLY_SECOND);
    if (nowSeconds - last < SECONDS_BETWEEN_EARLY) return false;
    return Atomics.compareExchange(this.cells, LAST_EARLY_SECOND, last, nowSeconds) === last;
  }

  addEndedUnseen(): void {
    Atomics.add(this.cells, ENDED_UNSEEN, 1);
  }

  /** Whether a report of so many bytes may be sent to the main thread; one that may not is counted. */
  mayQueue(bytes: number): boolean {
    if (Atomics.add(this.cells, QUEUED_BYTES, bytes) + bytes <= MAX_QUEUED_BYTES) return true;
    Atomics.sub(this.cells, QUEUED_BYTES, bytes);
    Atomics.add(this.cells, LOST, 1);
    return false;
  }

  /** The main thread took a report. */
  dequeue(bytes: number): void {
    Atomics.sub(this.cells, QUEUED_BYTES, bytes);
  }
}
