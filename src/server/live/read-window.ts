import { ascendingOrder } from "../../analysis/ascending-order.ts";
import { mapToFloats } from "../../model/map-column.ts";
import { SpanGatherer } from "../../model/span-gatherer.ts";
import type { SpanTable } from "../../model/span-table.ts";
import type { Store, TimeRange } from "../../store/store.ts";
import { countsByMinute, MINUTE_NS, minutesOf, missingRuns, type Block, type BlockCache } from "./block-cache.ts";
import { blockSource, GatheredRows } from "./gathered-rows.ts";
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
  /** what was gathered before: taken again where it is the same window and nothing of it changed */
  readonly held?: GatheredWindow | undefined;
  readonly signal?: AbortSignal;
}

/** Spans of a window, and what they were gathered from. */
export interface GatheredWindow {
  readonly range: TimeRange;
  readonly share: number;
  readonly blocks: readonly Block[];
  readonly spans: SpanTable;
}

export interface WindowSpans {
  readonly spans: SpanTable;
  /** of the traces; the weights of the others are in the tracestates */
  readonly share: number;
  /** that start in the window, of whatever traces */
  readonly spansInWindow: number;
  /** spans that had to be read from the store, not from memory */
  readonly spansRead: number;
  readonly gathered: GatheredWindow;
}

/** What reading windows needs and keeps. */
export interface WindowReader {
  readonly store: Pick<Store, "readSpans" | "red" | "spansIn">;
  readonly cache: BlockCache;
  /** written here: rows that were gathered before, for the next window */
  readonly rows: { held?: GatheredRows };
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
  const { held: before } = options;
  // A sample for the first part of an answer is not asked for again.
  const isPart = options.share !== undefined;
  const spans = isSame(before, range, share, blocks)
    ? before.spans
    : gather(blocks, range, whole, share, reader, isPart);
  const gathered = { range, share, blocks, spans };
  return { spans, share, spansInWindow: await reader.store.spansIn(range), spansRead, gathered };
}

/** Whether a window that was gathered before is this one, of the same blocks. */
function isSame(
  held: GatheredWindow | undefined,
  { fromUnixNs, toUnixNs }: TimeRange,
  share: number,
  blocks: readonly Block[],
): held is GatheredWindow {
  return (
    held !== undefined &&
    held.range.fromUnixNs === fromUnixNs &&
    held.range.toUnixNs === toUnixNs &&
    held.share === share &&
    held.blocks.length === blocks.length &&
    held.blocks.every((block, i) => block === blocks[i])
  );
}

/** The largest of 1, 1/2, 1/4, ... that keeps the expected number of spans within the budget. */
export function shareWithin(total: number, budget: number): number {
  let share = 1;
  while (total * share > budget) share /= 2;
  return share;
}

/** The rows of one trace in one block: `from .. to - 1`. */
interface Part {
  readonly block: number;
  readonly from: number;
  readonly to: number;
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
  reader: WindowReader,
  isPart: boolean,
): SpanTable {
  const { rows: kept, operations } = reader;
  const gathered = kept.held?.takes(blocks, share) === true ? kept.held : new GatheredRows(share, operations);
  if (!isPart) kept.held = gathered;
  const parts = blocks.map((block) => gathered.of(block));
  // As offsets of each block: exact, as times of one window and its blocks lie within days.
  const within = blocks.map(({ table: { baseUnixNs } }) => ({
    whole: { from: Number(whole.fromUnixNs - baseUnixNs), to: Number(whole.toUnixNs - baseUnixNs) },
    range: { from: Number(range.fromUnixNs - baseUnixNs), to: Number(range.toUnixNs - baseUnixNs) },
  }));
  const taken: number[] = [];
  const chosen: Place[] = [];
  for (const trace of tracesOf(blocks)) {
    const places = placesOf(blocks, trace, (block, start) => {
      const { from, to } = within[block]!.whole;
      return start >= from && start < to;
    });
    if (places.length === 0) continue;
    const first = places[0]!;
    const start = blocks[first.block]!.table.startOffsetNs[first.row]!;
    const { from, to } = within[first.block]!.range;
    if (start < from || start >= to) continue;
    for (const place of places) {
      taken.push(parts[place.block]!.rowOf(place.row));
      chosen.push(place);
    }
  }
  return gathered.take(taken) ?? gatheredAnew(blocks, chosen, share, reader.operations);
}

/** The rows one after the other, without those whose times lie more than 104 days from the others'. */
function gatheredAnew(
  blocks: readonly Block[],
  chosen: readonly Place[],
  share: number,
  rules: readonly OperationRule[],
): SpanTable {
  const gatherer = new SpanGatherer();
  const sources = blocks.map(({ table }) => blockSource(gatherer, table, share, rules));
  for (const { block, row } of chosen) sources[block]!.add(row);
  return gatherer.finish().table;
}

/** Rows of a trace that `counts`, by start and span id. */
function placesOf(
  blocks: readonly Block[],
  parts: readonly Part[],
  counts: (block: number, startOffsetNs: number) => boolean,
): Place[] {
  const places: Place[] = [];
  for (const { block, from, to } of parts) {
    const { startOffsetNs } = blocks[block]!.table;
    for (let row = from; row < to; row++) if (counts(block, startOffsetNs[row]!)) places.push({ block, row });
  }
  // Within a block they are in this order already.
  return parts.length === 1 ? places : places.sort((x, y) => comparePlaces(blocks, x, y));
}

/** Traces ascending by id, each with its parts in the blocks that have any, in the order of the blocks. */
function* tracesOf(blocks: readonly Block[]): Generator<Part[]> {
  const all = blocks.flatMap(({ table }, block) => partsOf(table).map((part) => ({ block, ...part })));
  const idOf = ({ block }: Part): Uint32Array => blocks[block]!.table.traceId;
  // By the first 53 bits of the id; the few that share these by the rest.
  const heads = mapToFloats(
    all,
    (part) => idOf(part)[4 * part.from]! * 2 ** 21 + (idOf(part)[4 * part.from + 1]! >>> 11),
  );
  const order = ascendingOrder(heads);
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    while (to < order.length && heads[order[to]!] === heads[order[from]!]) to++;
    const alike = Array.from(order.subarray(from, to), (i) => all[i]!);
    const compare = (a: Part, b: Part): number =>
      compareTraces(blocks[a.block]!.table, a.from, blocks[b.block]!.table, b.from);
    if (alike.length > 1) alike.sort(compare);
    for (let i = 0; i < alike.length;) {
      let end = i + 1;
      while (end < alike.length && compare(alike[i]!, alike[end]!) === 0) end++;
      yield alike.slice(i, end);
      i = end;
    }
    from = to;
  }
}

/** Where each trace of a block's table begins and ends, found once for as long as the block is held. */
function partsOf(table: SpanTable): readonly Omit<Part, "block">[] {
  let known = partsByTable.get(table);
  if (known === undefined) {
    known = [];
    for (let from = 0; from < table.rowCount;) {
      let to = from + 1;
      while (to < table.rowCount && compareTraces(table, from, table, to) === 0) to++;
      known.push({ from, to });
      from = to;
    }
    partsByTable.set(table, known);
  }
  return known;
}

const partsByTable = new WeakMap<SpanTable, Omit<Part, "block">[]>();

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
