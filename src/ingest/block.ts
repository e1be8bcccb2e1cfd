import type { Body, Decoded } from "./body.ts";
import type { BlockRows } from "./block-rows.ts";
import type { KeptSignal } from "./signal.ts";
import type { Segment } from "./wal/segment.ts";
import type { Place } from "./wal/wal.ts";

/** What a block was made of when its last record came to the disk. */
interface Step {
  readonly seq: number;
  readonly items: number;
  readonly bytes: number;
  readonly mark: unknown;
}

/**
 * Requests of one signal that will be inserted together: all data records of the signal between
 * two numbers of the log. It grows until it is closed, and is complete when its last record is synced.
 */
export class Block {
  readonly signal: KeptSignal;
  readonly openedMs: number = performance.now();
  /** undefined when they are only in the log */
  rows: BlockRows | undefined;
  /** number of the first and last synced record, -1 for none */
  firstSeq = -1;
  lastSeq = -1;
  first: Place | undefined;
  last: Place | undefined;
  /** data records by segment */
  readonly records: Map<Segment, number> = new Map();
  /** items of the synced records */
  items = 0;
  /** decompressed bytes of all records, those included that wait to be synced */
  bytes = 0;
  private waiting: Step[] = [];
  private synced: Step;

  constructor(signal: KeptSignal, rows: BlockRows | undefined) {
    this.signal = signal;
    this.rows = rows;
    this.synced = { seq: -1, items: 0, bytes: 0, mark: rows?.mark() };
  }

  /** Takes the items of a request, or throws InputError and stays as it was. */
  decode(body: Body, bytes: Uint8Array): Decoded {
    return this.rows!.decode(body, bytes);
  }

  /** The request decoded last has been given this number. */
  wait(seq: number, accepted: number, bytes: number): void {
    const before = this.waiting.at(-1) ?? this.synced;
    this.bytes = before.bytes + bytes;
    this.waiting.push({ seq, items: before.items + accepted, bytes: this.bytes, mark: this.rows!.mark() });
  }

  /** The oldest that waits is on the disk. */
  syncedAt(place: Place): void {
    const step = this.waiting.shift()!;
    this.synced = step;
    this.put(step.seq, place, step.items - this.items);
  }

  /** Adds a record that is on the disk. */
  put(seq: number, place: Place, items: number): void {
    if (this.first === undefined) {
      this.firstSeq = seq;
      this.first = place;
    }
    this.lastSeq = seq;
    this.last = place;
    this.items += items;
    this.records.set(place.segment, (this.records.get(place.segment) ?? 0) + 1);
  }

  /** Gives its rows away: they are in the log. */
  release(): BlockRows | undefined {
    const { rows } = this;
    this.rows = undefined;
    return rows;
  }

  /** Takes back all that waits. */
  dropWaiting(): void {
    if (this.waiting.length === 0) return;
    this.waiting = [];
    this.bytes = this.synced.bytes;
    this.rows!.rewind(this.synced.mark);
  }

  get isComplete(): boolean {
    return this.waiting.length === 0;
  }
}
