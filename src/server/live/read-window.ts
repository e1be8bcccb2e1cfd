import { thinnedStates } from "../../analysis/thin-traces.ts";
import { SpanGatherer, type SpanSource } from "../../model/span-gatherer.ts";
import type { SpanTable } from "../../model/span-table.ts";
import type { Store, TimeRange } from "../../store/store.ts";
import { countsByMinute, MINUTE_NS, minutesOf, missingRuns, type Block, type BlockCache } from "./block-cache.ts";
import { operationNames } from "./operation-names.ts";
import type { OperationRule } from "../config/settings.ts";

/**
 * Spans of a trace may start so much before or after its window's end and still be found: a trace belongs to
 * the window in which its first span starts, and is taken whole.
 */
const REACH_NS = MINUTE_NS;
/** Later than that nothing is expected to come in for a minute: exporters and the ingest wait for seconds. */
const SETTLED_NS = 2n * MINUTE_NS;

export interface ReadWindowOptions {
  /** Share of the traces to read, 0 .. 1; by default as much as the budget allows. */
  readonly share?: number;
  readonly signal?: AbortSignal;
}

export interface WindowSpans {
  readonly spans: SpanTable;
  /** of the traces; the weights of the others are in the tracestates */
  readonly share: number;
  /** that start in the window, of whatever traces */
  readonly spansInWindow: number;
  /** spans that had to be read from the store, not from memory */
  readonly spansRead: number;
}

/** What reading windows needs and keeps. */
export interface WindowReader {
  readonly store: Pick<Store, "readSpans" | "red" | "spansIn">;
  readonly cache: BlockCache;
  readonly budget: number;
  readonly operations: readonly OperationRule[];
  readonly nowUnixNs: () => bigint;
}

/**
 * The traces whose first span starts in the window, whole, in an order that depends on the data only. When there are more
 * spans than the budget, every 2nd, 4th, ... trace by its id, with its weight in its tracestate.
 */
export async function readWindow(
  reader: WindowReader,
  range: TimeRange,
  options: ReadWindowOptions = {},
): Promise<WindowSpans> {
  const wide = { fromUnixNs: range.fromUnixNs - REACH_NS, toUnixNs: range.toUnixNs + REACH_NS };
  const { fromMinute, toMinute } = minutesOf(wide);
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const whole = { fromUnixNs: fromMinute * MINUTE_NS, toUnixNs: toMinute * MINUTE_NS };
  const counts = countsByMinute(await reader.store.red({ ...whole, stepSeconds: 60 }, signal));
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const share = options.share ?? shareWithin(total, reader.budget);
  const held = reader.cache.within(fromMinute, toMinute, share, counts);
  const settled = (reader.nowUnixNs() - SETTLED_NS) / MINUTE_NS;
  const blocks: Block[] = [...held];
  let spansRead = 0;
  for (const run of missingRuns(fromMinute, toMinute, held, settled)) {
    const table = await reader.store.readSpans(
      { fromUnixNs: run.fromMinute * MINUTE_NS, toUnixNs: run.toMinute * MINUTE_NS },
      { ...signal, ...(share < 1 ? { traceShare: share } : {}) },
    );
    const minutes = [...counts].filter(([minute]) => minute >= run.fromMinute && minute < run.toMinute);
    const block: Block = { ...run, share, counts: new Map(minutes), table };
    spansRead += table.rowCount;
    blocks.push(block);
    reader.cache.keep(block);
  }
  const spans = gather(blocks, range, whole, share, reader.operations);
  return { spans, share, spansInWindow: await reader.store.spansIn(range), spansRead };
}

/** The largest of 1, 1/2, 1/4, ... that keeps the expected number of spans within the budget. */
export function shareWithin(total: number, budget: number): number {
  let share = 1;
  while (total * share > budget) share /= 2;
  return share;
}

/** A row of a block. */
interface Place {
  readonly block: number;
  readonly row: number;
}

/**
 * Rows of all blocks by trace, then as the store orders them; of the traces whose first span starts in the range. Rows
 * outside of `whole`, which a block may hold from an earlier window, don't count: the answer must not depend on them.
 */
function gather(
  blocks: readonly Block[],
  range: TimeRange,
  whole: TimeRange,
  share: number,
  rules: readonly OperationRule[],
): SpanTable {
  const gatherer = new SpanGatherer();
  const sources = blocks.map(({ table }): SpanSource => {
    const name = operationNames(table, rules);
    return gatherer.source(table, {
      ...(share < 1 ? { traceState: thinnedStates(table, share) } : {}),
      ...(name === undefined ? {} : { name }),
    });
  });
  for (const all of tracesOf(blocks)) {
    const places = all.filter(({ block, row }) => {
      const start = startOf(blocks[block]!.table, row);
      return start >= whole.fromUnixNs && start < whole.toUnixNs;
    });
    const first = places.reduce((least, { block, row }) => {
      const start = startOf(blocks[block]!.table, row);
      return start < least ? start : least;
    }, 1n << 64n);
    if (first < range.fromUnixNs || first >= range.toUnixNs) continue;
    for (const { block, row } of places) sources[block]!.add(row);
  }
  return gatherer.finish().table;
}

const startOf = (table: SpanTable, row: number): bigint => table.baseUnixNs + BigInt(table.startOffsetNs[row]!);

/** Rows by trace, traces ascending by id, the rows of a trace by start and span id. */
function* tracesOf(blocks: readonly Block[]): Generator<Place[]> {
  // Each block is in the order of its trace ids already: the heads are merged.
  const at = blocks.map(() => 0);
  for (;;) {
    let least = -1;
    for (const [b, { table }] of blocks.entries()) {
      if (at[b]! >= table.rowCount) continue;
      if (least < 0 || compareTraces(table, at[b]!, blocks[least]!.table, at[least]!) < 0) least = b;
    }
    if (least < 0) return;
    const places: Place[] = [];
    const head = { table: blocks[least]!.table, row: at[least]! };
    for (const [b, { table }] of blocks.entries()) {
      while (at[b]! < table.rowCount && compareTraces(table, at[b]!, head.table, head.row) === 0) {
        places.push({ block: b, row: at[b]!++ });
      }
    }
    yield places.sort((x, y) => comparePlaces(blocks, x, y));
  }
}

function compareTraces(a: SpanTable, i: number, b: SpanTable, j: number): number {
  for (let word = 0; word < 4; word++) {
    const difference = a.traceId[4 * i + word]! - b.traceId[4 * j + word]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Equal starts and span ids, of retries of an export for example, keep the order of their block. */
function comparePlaces(blocks: readonly Block[], x: Place, y: Place): number {
  const [a, b] = [blocks[x.block]!.table, blocks[y.block]!.table];
  const starts = Number(a.baseUnixNs - b.baseUnixNs) + (a.startOffsetNs[x.row]! - b.startOffsetNs[y.row]!);
  if (starts !== 0) return starts;
  for (let word = 0; word < 2; word++) {
    const difference = a.spanId[2 * x.row + word]! - b.spanId[2 * y.row + word]!;
    if (difference !== 0) return difference;
  }
  return x.block - y.block || x.row - y.row;
}
