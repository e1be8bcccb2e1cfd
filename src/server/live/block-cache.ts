import type { SpanTable } from "../../model/span-table.ts";
import type { RedRow, TimeRange } from "../../store/store.ts";

export const MINUTE_NS = 60_000_000_000n;

/** Spans that start in some minutes that follow one another. */
export interface Block {
  /** unix minute of the first */
  readonly fromMinute: bigint;
  /** behind the last */
  readonly toMinute: bigint;
  /** share of the traces that was read */
  readonly share: number;
  /** spans that the store counted in each minute when the block was read */
  readonly counts: ReadonlyMap<bigint, number>;
  readonly table: SpanTable;
}

/**
 * Decoded minutes of the windows that were asked for last, so that a window that moved on by a minute reads that minute
 * only. A block holds as long as the store counts the same number of spans in its minutes: what comes late makes it be
 * read again.
 */
export class BlockCache {
  private blocks: Block[] = [];
  private readonly mostSpans: number;

  /** mostSpans: of all blocks together, a bound of the memory that they take */
  constructor(mostSpans: number) {
    this.mostSpans = mostSpans;
  }

  /** Blocks that lie within `[fromMinute, toMinute)` and hold, without overlap, ascending. Those that don't hold are forgotten. */
  within(fromMinute: bigint, toMinute: bigint, share: number, counts: ReadonlyMap<bigint, number>): Block[] {
    const overlaps = (block: Block): boolean => block.fromMinute < toMinute && block.toMinute > fromMinute;
    const holds = (block: Block): boolean => {
      for (let minute = block.fromMinute; minute < block.toMinute; minute++) {
        // Minutes outside of the window were not counted now: rows in them are not used.
        if (minute < fromMinute || minute >= toMinute) continue;
        if ((counts.get(minute) ?? 0) !== (block.counts.get(minute) ?? 0)) return false;
      }
      return true;
    };
    this.blocks = this.blocks.filter((block) => !overlaps(block) || block.share !== share || holds(block));
    const fitting = this.blocks.filter((block) => block.share === share && overlaps(block));
    fitting.sort((a, b) => Number(a.fromMinute - b.fromMinute));
    const chosen: Block[] = [];
    for (const block of fitting) {
      if (chosen.length === 0 || chosen.at(-1)!.toMinute <= block.fromMinute) chosen.push(block);
    }
    // Used last stands last.
    this.blocks = [...this.blocks.filter((block) => !chosen.includes(block)), ...chosen];
    return chosen;
  }

  /** Keeps a block, and forgets those that were not used for longest when they are too many. */
  keep(block: Block): void {
    this.blocks = this.blocks.filter(
      (held) => held.share !== block.share || held.fromMinute >= block.toMinute || held.toMinute <= block.fromMinute,
    );
    this.blocks.push(block);
    let spans = this.blocks.reduce((sum, { table }) => sum + table.rowCount, 0);
    while (spans > this.mostSpans && this.blocks.length > 1) spans -= this.blocks.shift()!.table.rowCount;
  }

  clear(): void {
    this.blocks = [];
  }
}

/** Runs of minutes in `[fromMinute, toMinute)` that no block has; those from `settledMinute` on, which still fill, each alone. */
export function missingRuns(
  fromMinute: bigint,
  toMinute: bigint,
  blocks: readonly Block[],
  settledMinute: bigint,
): { readonly fromMinute: bigint; readonly toMinute: bigint }[] {
  const runs: { fromMinute: bigint; toMinute: bigint }[] = [];
  let minute = fromMinute;
  for (const block of [...blocks, { fromMinute: toMinute, toMinute }]) {
    const settled = block.fromMinute < settledMinute ? block.fromMinute : settledMinute;
    if (settled > minute) {
      runs.push({ fromMinute: minute, toMinute: settled });
      minute = settled;
    }
    for (; minute < block.fromMinute; minute++) runs.push({ fromMinute: minute, toMinute: minute + 1n });
    if (block.toMinute > minute) minute = block.toMinute;
  }
  return runs;
}

/** Spans by unix minute, from rows of the store's rollup with a step of a minute. */
export function countsByMinute(rows: readonly RedRow[]): Map<bigint, number> {
  const counts = new Map<bigint, number>();
  for (const { startUnixNs, count } of rows) {
    const minute = startUnixNs / MINUTE_NS;
    counts.set(minute, (counts.get(minute) ?? 0) + count);
  }
  return counts;
}

/** The whole minutes that cover a range. */
export function minutesOf({ fromUnixNs, toUnixNs }: TimeRange): { fromMinute: bigint; toMinute: bigint } {
  return { fromMinute: fromUnixNs / MINUTE_NS, toMinute: (toUnixNs + MINUTE_NS - 1n) / MINUTE_NS };
}
