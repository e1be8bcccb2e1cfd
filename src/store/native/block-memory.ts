/** A block of 131,072 spans has some 30 MiB. */
const FIRST_BYTES = 1 << 20;
/** What was not used for so long is given back. */
const UNUSED_MS = 5000;

/**
 * Memory that blocks are written to, one after the other. Blocks that each had an array of their own, grown from small
 * to large, cost as much in page faults and collected garbage as half of writing them (bench/ingest.ts).
 */
export class BlockMemory {
  private idle: Uint8Array[] = [];
  private timer: NodeJS.Timeout | undefined;

  take(): Uint8Array {
    return this.idle.pop() ?? new Uint8Array(FIRST_BYTES);
  }

  /** Takes back the memory of a block to which nobody refers any more. */
  giveBack(block: Uint8Array): void {
    this.idle.push(new Uint8Array(block.buffer as ArrayBuffer));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.idle = []), UNUSED_MS).unref();
  }
}
