import { thinnedStates } from "../../analysis/thin-traces.ts";
import { SpanGatherer, type SpanSource } from "../../model/span-gatherer.ts";
import type { SpanTable } from "../../model/span-table.ts";
import { takeRows } from "../../model/take-rows.ts";
import type { TimeRange } from "../../store/store.ts";
import type { OperationRule } from "../config/settings.ts";
import { MINUTE_NS, type Block } from "./block-cache.ts";
import { operationNames } from "./operation-names.ts";

/** Rows of blocks that are no longer asked for, per row that is: beyond, all are gathered anew, which bounds the memory. */
const MOST_LEFT_OVER = 0.5;

/**
 * Rows of blocks in one table, each added when it is first asked for: strings, resources and attributes of a row are looked
 * up once, and a window that moves on by some seconds is a selection of rows of which most are there. Strings of rows
 * that nobody asks for any more stay until all is gathered anew, when half as many rows are left over as are used.
 */
export class GatheredRows {
  private readonly share: number;
  private readonly rules: readonly OperationRule[];
  private readonly gatherer = new SpanGatherer();
  private readonly sources = new Map<Block, BlockRows>();
  private count = 0;
  private next = (): number => this.count++;

  /** share of the traces that the blocks hold, and what spans are called instead */
  constructor(share: number, rules: readonly OperationRule[]) {
    this.share = share;
    this.rules = rules;
  }

  /** Whether a window of these blocks is worth gathering here. Blocks that are not among them are forgotten. */
  takes(blocks: readonly Block[], share: number): boolean {
    if (share !== this.share) return false;
    const asked = new Set(blocks);
    for (const block of this.sources.keys()) if (!asked.has(block)) this.sources.delete(block);
    let used = 0;
    for (const source of this.sources.values()) used += source.added;
    return used > 0 && this.count <= (1 + MOST_LEFT_OVER) * used;
  }

  /** Whether most of a range is here already. */
  covers({ fromUnixNs, toUnixNs }: TimeRange): boolean {
    let ns = 0n;
    for (const { fromMinute, toMinute } of this.sources.keys()) {
      const from = fromMinute * MINUTE_NS > fromUnixNs ? fromMinute * MINUTE_NS : fromUnixNs;
      const to = toMinute * MINUTE_NS < toUnixNs ? toMinute * MINUTE_NS : toUnixNs;
      if (to > from) ns += to - from;
    }
    return 2n * ns >= toUnixNs - fromUnixNs;
  }

  /** The block's rows as rows of the table. */
  of(block: Block): BlockRows {
    let source = this.sources.get(block);
    if (source === undefined)
      this.sources.set(
        block,
        (source = new BlockRows(
          blockSource(this.gatherer, block.table, this.share, this.rules),
          block.table.rowCount,
          this.next,
        )),
      );
    return source;
  }

  /** The table of these rows; undefined where times lie too far apart for one table, which leaves some of them out. */
  take(rows: readonly number[]): SpanTable | undefined {
    const { table, outOfRange } = this.gatherer.finish();
    return outOfRange > 0 ? undefined : takeRows(table, Int32Array.from(rows));
  }
}

/** Rows of a block's table with the names and sampling weights that an analysis reads. */
export function blockSource(
  gatherer: SpanGatherer,
  table: SpanTable,
  share: number,
  rules: readonly OperationRule[],
): SpanSource {
  const name = operationNames(table, rules);
  return gatherer.source(table, {
    ...(share < 1 ? { traceState: thinnedStates(table, share) } : {}),
    ...(name === undefined ? {} : { name }),
  });
}

/** Where rows of a block stand in the gathered table. */
export class BlockRows {
  /** rows that are there */
  added = 0;
  private readonly source: SpanSource;
  private readonly next: () => number;
  /** per row of the block; -1 until it is asked for */
  private readonly at: Int32Array;

  constructor(source: SpanSource, rowCount: number, next: () => number) {
    this.source = source;
    this.next = next;
    this.at = new Int32Array(rowCount).fill(-1);
  }

  rowOf(row: number): number {
    const known = this.at[row]!;
    if (known >= 0) return known;
    this.source.add(row);
    this.added++;
    return (this.at[row] = this.next());
  }
}
