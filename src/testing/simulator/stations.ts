import type { EventQueue } from "./event-queue.ts";
import { NO_PAUSES, type Pauses } from "./pauses.ts";

/**
 * The places where work waits. A Station does work of a given length (CPU of a
 * host, a database); a Semaphore hands out permits for as long as their holder
 * likes (pools, worker limits, locks).
 */
export interface Station {
  /** Does `work` ms of work, then calls `done`. */
  request(work: number, done: () => void): void;
  /** ms of work taken on so far */
  readonly workMs: number;
  readonly servers: number;
  /** busy servers × ms up to now: what a host's metrics would count */
  busyMs(): number;
}

/** First come, first served, by `servers` equal servers; M/G/c under Poisson arrivals. */
export class FifoStation implements Station {
  readonly servers: number;
  workMs = 0;
  private readonly events: EventQueue;
  private readonly pauses: Pauses;
  private busy = 0;
  private busySoFarMs = 0;
  private updatedAt = 0;
  private readonly waitingWork = new Fifo<number>();
  private readonly waitingDone = new Fifo<() => void>();

  constructor(events: EventQueue, servers: number, pauses: Pauses = NO_PAUSES) {
    this.events = events;
    this.servers = servers;
    this.pauses = pauses;
  }

  request(work: number, done: () => void): void {
    this.workMs += work;
    if (this.busy < this.servers) {
      this.busyMs();
      this.busy++;
      this.start(work, done);
    } else {
      this.waitingWork.push(work);
      this.waitingDone.push(done);
    }
  }

  busyMs(): number {
    this.busySoFarMs += this.busy * (this.events.now - this.updatedAt);
    this.updatedAt = this.events.now;
    return this.busySoFarMs;
  }

  private start(work: number, done: () => void): void {
    this.events.at(this.pauses.after(this.events.now, work), () => {
      const next = this.waitingDone.shift();
      if (next === undefined) {
        this.busyMs();
        this.busy--;
      } else this.start(this.waitingWork.shift()!, next);
      done();
    });
  }
}

/**
 * Processor sharing: n jobs on c cores run at rate min(1, c / n) each, as threads
 * do under a fair scheduler. In attained service V (which grows at that rate)
 * every job ends at a V known when it starts, so a heap by final V suffices.
 */
export class SharedStation implements Station {
  readonly servers: number;
  workMs = 0;
  private readonly events: EventQueue;
  private readonly pauses: Pauses;
  private attained = 0;
  private busySoFarMs = 0;
  private updatedAt = 0;
  private generation = 0;
  /** ascending by final attained service; short lists, so insertion beats a heap */
  private readonly jobs: { final: number; done: () => void }[] = [];

  constructor(events: EventQueue, cores: number, pauses: Pauses = NO_PAUSES) {
    this.events = events;
    this.servers = cores;
    this.pauses = pauses;
  }

  request(work: number, done: () => void): void {
    this.workMs += work;
    this.advance();
    const final = this.attained + work;
    let i = this.jobs.length;
    this.jobs.push({ final, done });
    while (i > 0 && this.jobs[i - 1]!.final < final) {
      this.jobs[i] = this.jobs[i - 1]!;
      i--;
    }
    this.jobs[i] = { final, done };
    this.scheduleNext();
  }

  busyMs(): number {
    this.advance();
    return this.busySoFarMs;
  }

  private get rate(): number {
    return Math.min(1, this.servers / this.jobs.length);
  }

  private advance(): void {
    const now = this.events.now;
    if (this.jobs.length > 0) {
      const running = this.pauses.running(this.updatedAt, now);
      this.attained += running * this.rate;
      this.busySoFarMs += running * Math.min(this.jobs.length, this.servers);
    }
    this.updatedAt = now;
  }

  /** The job that ends next is the last of the list: its removal moves nothing. */
  private scheduleNext(): void {
    const generation = ++this.generation;
    const next = this.jobs.at(-1);
    if (next === undefined) return;
    const running = Math.max(0, next.final - this.attained) / this.rate;
    this.events.at(this.pauses.after(this.events.now, running), () => {
      if (generation !== this.generation) return;
      this.advance();
      this.attained = Math.max(this.attained, next.final);
      this.jobs.pop();
      this.scheduleNext();
      next.done();
    });
  }
}

/** `capacity` permits, handed out first come, first served; capacity 0 means no limit. */
export class Semaphore {
  readonly capacity: number;
  acquired = 0;
  waited = 0;
  waitMs = 0;
  /** waiting holders-to-be × ms so far */
  queuedMs = 0;
  /** permits × ms held so far */
  heldMs = 0;
  private readonly events: EventQueue;
  private held = 0;
  private queue = 0;
  private updatedAt = 0;
  private readonly waiting = new Fifo<() => void>();

  constructor(events: EventQueue, capacity: number) {
    this.events = events;
    this.capacity = capacity;
  }

  acquire(granted: () => void): void {
    this.acquired++;
    if (this.capacity === 0 || this.held < this.capacity) {
      this.account();
      this.held++;
      granted();
      return;
    }
    const since = this.events.now;
    this.account();
    this.waited++;
    this.queue++;
    this.waiting.push(() => {
      this.account();
      this.queue--;
      this.waitMs += this.events.now - since;
      granted();
    });
  }

  release(): void {
    const next = this.waiting.shift();
    if (next !== undefined) {
      // the permit passes on; by way of the queue, so that long convoys don't nest
      this.events.after(0, next);
      return;
    }
    this.account();
    this.held--;
  }

  /** Brings `heldMs` and `queuedMs` up to now. */
  account(): void {
    this.heldMs += this.held * (this.events.now - this.updatedAt);
    this.queuedMs += this.queue * (this.events.now - this.updatedAt);
    this.updatedAt = this.events.now;
  }
}

/** A queue whose shift does not move the rest. */
class Fifo<T> {
  private items: T[] = [];
  private head = 0;

  push(item: T): void {
    this.items.push(item);
  }

  shift(): T | undefined {
    if (this.head === this.items.length) return undefined;
    const item = this.items[this.head++]!;
    if (this.head > 1024 && 2 * this.head > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }
}
