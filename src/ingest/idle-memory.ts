import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Longer than what the store keeps for its next block (src/store/native/block-memory.ts). */
const WAIT_MS = 6000;

/**
 * Has memory collected that a load has left behind.
 *
 * V8 collects when somebody allocates: a server whose senders have gone quiet would hold for ever the blocks of its
 * last load, which is more than all else it has. A collection takes some tens of milliseconds, so it is left to V8
 * while there is more to do.
 */
export class IdleMemory {
  private droppedMs: number | undefined;
  private items = 0;
  private readonly few: number;
  private readonly collect: () => void;

  /** `few` items within some seconds are no load. */
  constructor(few: number, collect: () => void) {
    this.few = few;
    this.collect = collect;
  }

  taken(items: number): void {
    this.items += items;
  }

  /** Memory of blocks was given up. */
  dropped(nowMs: number): void {
    this.droppedMs = nowMs;
    this.items = 0;
  }

  /** To be called now and then. */
  look(nowMs: number): void {
    if (this.droppedMs === undefined || nowMs - this.droppedMs < WAIT_MS) return;
    if (this.items > this.few) return this.dropped(nowMs);
    this.droppedMs = undefined;
    this.collect();
  }
}

let gc: (() => void) | undefined;

/** Collects what nobody refers to. Node gives this function to contexts made after the flag was set. */
export function collectGarbage(): void {
  if (gc === undefined) {
    setFlagsFromString("--expose-gc");
    gc = runInNewContext("gc") as () => void;
  }
  gc();
}
