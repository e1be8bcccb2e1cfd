import type { BlockRows } from "./block-rows.ts";
import { rowsOfSignal } from "./rows-of-signal.ts";
import type { KeptSignal } from "./signal.ts";

interface Idle {
  readonly rows: BlockRows;
  readonly sinceMs: number;
}

/** What stands still for so long gives its memory back: a block of 131,072 spans has some 60 MB. */
const UNUSED_MS = 5000;

/**
 * Rows of blocks that the store has, for the blocks to come.
 *
 * Blocks with columns of their own, grown from small to large each time, made V8 collect garbage a hundred times per
 * million spans: memory of typed arrays counts as pressure. That took a third of all the time of receiving (bench/ingest.ts).
 */
export class RowPool {
  private readonly idle = new Map<KeptSignal, Idle[]>();

  /** Empty rows: those given back last, whose memory is warmest. */
  take(signal: KeptSignal): BlockRows {
    return this.idle.get(signal)?.pop()?.rows ?? rowsOfSignal(signal);
  }

  giveBack(signal: KeptSignal, rows: BlockRows): void {
    if (!rows.reuse()) return;
    const held = this.idle.get(signal);
    const one: Idle = { rows, sinceMs: performance.now() };
    if (held === undefined) this.idle.set(signal, [one]);
    else held.push(one);
  }

  /** To be called now and then; whether there were any. */
  dropUnused(): boolean {
    const before = performance.now() - UNUSED_MS;
    let dropped = false;
    for (const held of this.idle.values()) {
      // Those that are never taken stand first: the last one is.
      while (held.length > 0 && held[0]!.sinceMs < before) {
        held.shift();
        dropped = true;
      }
    }
    return dropped;
  }
}
