import { MetricTableBuilder } from "../model/metric-table-builder.ts";
import type { MetricTable } from "../model/metric-table.ts";
import { StackTableBuilder } from "../model/stack-table-builder.ts";
import type { StackTable } from "../model/stack-table.ts";
import {
  DISTRIBUTION_COLUMNS,
  distributionBlock,
  EXEMPLAR_COLUMNS,
  exemplarBlock,
  SAMPLE_COLUMNS,
  sampleBlock,
  SERIES_COLUMNS,
  seriesBlock,
} from "./native/metric-blocks.ts";
import { BlockMemory } from "./native/block-memory.ts";
import { isPlain, MetricRows } from "./native/metric-rows.ts";
import type { NativeBlock } from "./native/native-reader.ts";
import { keyedStacks, PROFILE_COLUMNS, profileBlock, STACK_COLUMNS, stackBlock } from "./native/stack-blocks.ts";
import { SeriesKeys } from "./native/series-keys.ts";
import { StackRows } from "./native/stack-rows.ts";
import { READ_DISTRIBUTIONS, READ_EXEMPLARS, READ_SAMPLES, READ_SERIES } from "./queries/read-metrics.ts";
import { READ_PROFILES, READ_STACKS } from "./queries/read-stacks.ts";

/** A block for a table, under a token. */
export type Insert = (table: string, columns: readonly string[], block: Uint8Array, token: string) => Promise<void>;
/** The blocks of an answer. */
export type Read = (query: string) => Promise<Iterable<NativeBlock>>;

const DAY_NS = 86_400e9;
/** Series whose row is known to be there; beyond that they are forgotten and written again, which costs and harms nobody. */
const KNOWN_SERIES = 1_000_000;

/** Writes metrics: series that this process has not yet written for the day, then their points. */
export class MetricInserts {
  private readonly insert: Insert;
  /** until when a series is kept, in days */
  private readonly keptUntil = new Map<bigint, number>();
  private readonly keys = new SeriesKeys();
  private readonly memory = new BlockMemory();

  constructor(insert: Insert) {
    this.insert = insert;
  }

  async write(table: MetricTable, token: string): Promise<void> {
    const { points, exemplars } = table;
    if (points.rowCount === 0) return;
    const ids = this.keys.of(table);
    // Series first: points without theirs would be lost to whoever reads in between.
    await this.writeSeries(table, ids, token);
    const [plain, distributions] = rowsByKind(table);
    if (exemplars.rowCount > 0) await this.insert("exemplars", EXEMPLAR_COLUMNS, exemplarBlock(table, ids), token);
    if (plain.length > 0) {
      const block = sampleBlock(table, ids, plain, this.memory.take());
      await this.insert("samples", SAMPLE_COLUMNS, block, token);
      // Only here: of a request that failed, a socket may still hold it.
      this.memory.giveBack(block);
    }
    if (distributions.length > 0) {
      await this.insert("distributions", DISTRIBUTION_COLUMNS, distributionBlock(table, ids, distributions), token);
    }
  }

  private async writeSeries(table: MetricTable, ids: BigUint64Array, token: string): Promise<void> {
    let latest = -Infinity;
    for (const offset of table.points.timeOffsetNs) latest = Math.max(latest, offset);
    const day = Math.floor((Number(table.baseUnixNs) + latest) / DAY_NS) + 1;
    // A table may have series of the blocks before it, which may have ended.
    const hasPoints = new Uint8Array(table.seriesCount);
    for (const series of table.points.series) hasPoints[series] = 1;
    const isNew = (row: number): boolean => hasPoints[row] === 1 && (this.keptUntil.get(ids[row]!) ?? -1) < day;
    const rows = Int32Array.from(hasPoints.keys()).filter(isNew);
    if (rows.length === 0) return;
    const seenOffsetNs = Number(BigInt(day) * BigInt(DAY_NS) - table.baseUnixNs);
    await this.insert("series", SERIES_COLUMNS, seriesBlock(table, ids, rows, seenOffsetNs), token);
    if (this.keptUntil.size + rows.length > KNOWN_SERIES) this.keptUntil.clear();
    for (const row of rows) this.keptUntil.set(ids[row]!, day);
  }
}

/** Rows of the points of gauges and sums, and of those of distributions. */
function rowsByKind({ kind, points }: MetricTable): [plain: Int32Array, distributions: Int32Array] {
  const rows = new Int32Array(points.rowCount);
  let plain = 0;
  let behind = rows.length;
  for (let row = 0; row < rows.length; row++) {
    if (isPlain(kind[points.series[row]!]!)) rows[plain++] = row;
    else rows[--behind] = row;
  }
  return [rows.subarray(0, plain), rows.subarray(plain).reverse()];
}

export async function readMetrics(
  read: Read,
  builder: MetricTableBuilder = new MetricTableBuilder(),
): Promise<MetricTable> {
  const rows = new MetricRows(builder);
  for (const block of await read(READ_SERIES)) rows.addSeries(block);
  for (const block of await read(READ_EXEMPLARS)) rows.addExemplars(block);
  for (const block of await read(READ_SAMPLES)) rows.addSamples(block);
  for (const block of await read(READ_DISTRIBUTIONS)) rows.addDistributions(block);
  builder.strings.releaseSource();
  return builder.finish().table;
}

export async function writeStacks(insert: Insert, table: StackTable, token: string, nowUnixNs: bigint): Promise<void> {
  if (table.samples.rowCount === 0) return;
  const keyed = keyedStacks(table);
  await insert("stacks", STACK_COLUMNS, stackBlock(table, keyed, nowUnixNs), token);
  await insert("profile_samples", PROFILE_COLUMNS, profileBlock(table, keyed, token, nowUnixNs), token);
}

export async function readStacks(read: Read): Promise<StackTable> {
  const builder = new StackTableBuilder();
  const rows = new StackRows(builder);
  for (const block of await read(READ_STACKS)) rows.addStacks(block);
  for (const block of await read(READ_PROFILES)) rows.addSamples(block);
  return builder.finish();
}
