import type { QueryOptions } from "./connection.ts";
import type { NativeBlock } from "./native/native-reader.ts";
import {
  BOUNDS_OF,
  type BoundsRow,
  DISTRIBUTIONS_OF,
  MATCHING,
  type MatchRow,
  SAMPLES_OF,
  SERIES_NAMED,
  type SeriesRow,
} from "./queries/metric-lookup.ts";
import { StoreError } from "./store-error.ts";
import type { MetricLookup, PointRange, StoredDistribution, StoredPoints, StoredSeries } from "./stored-metrics.ts";

/** Ids of one query stand in its address. */
const IDS_PER_QUERY = 5000;
const VALUES_PER_QUERY = 200;

interface Reads {
  rows<Row>(query: string, options: QueryOptions): Promise<Row[]>;
  blocks(query: string, options: QueryOptions): Promise<Iterable<NativeBlock>>;
}

/** The tables of metrics, series by series. */
export class ClickHouseLookup implements MetricLookup {
  private readonly reads: Reads;

  constructor(reads: Reads) {
    this.reads = reads;
  }

  async series(
    sinceUnixNs: bigint,
    names: readonly string[] | undefined,
    most: number,
    signal?: AbortSignal,
  ): Promise<readonly StoredSeries[]> {
    const parameters = { since: sinceUnixNs, any: names === undefined ? 1 : 0, names: names ?? [], limit: most + 1 };
    const rows = await this.reads.rows<SeriesRow>(SERIES_NAMED, { parameters, signal });
    if (rows.length > most) throw new StoreError("too-large", `more than ${most} series: ask for fewer`);
    return rows.map(({ id, resource, labels, monotonic, ...row }) => ({
      ...row,
      id: BigInt(id),
      monotonic: monotonic === 1,
      resource: JSON.parse(resource) as (string | number)[],
      labels: JSON.parse(labels) as (string | number)[],
    }));
  }

  async points(
    ids: readonly bigint[],
    range: PointRange,
    most: number,
    signal?: AbortSignal,
  ): Promise<readonly StoredPoints[]> {
    const tables: StoredPoints[] = [];
    let rows = 0;
    for (const block of await this.blocks(SAMPLES_OF, ids, range, most, signal)) {
      rows += block.rows;
      tables.push({
        rowCount: block.rows,
        series: column(block, "series", BigUint64Array),
        timeNs: column(block, "time", BigInt64Array),
        value: column(block, "value", Float64Array),
      });
    }
    if (rows > most) throw tooMany(most);
    return tables;
  }

  async distributions(
    ids: readonly bigint[],
    range: PointRange,
    most: number,
    signal?: AbortSignal,
  ): Promise<readonly StoredDistribution[]> {
    const points: StoredDistribution[] = [];
    for (const block of await this.blocks(DISTRIBUTIONS_OF, ids, range, most, signal)) {
      const [series, time] = [column(block, "series", BigUint64Array), column(block, "time", BigInt64Array)];
      const [sum, count] = [column(block, "value", Float64Array), column(block, "count", Float64Array)];
      const [bounds, counts] = [doubles(block, "bounds"), doubles(block, "counts")];
      for (let row = 0; row < block.rows; row++)
        points.push({
          series: series[row]!,
          timeNs: time[row]!,
          sum: sum[row]!,
          count: count[row]!,
          bounds: bounds(row),
          counts: counts(row),
        });
    }
    if (points.length > most) throw tooMany(most);
    return points;
  }

  async bounds(
    ids: readonly bigint[],
    since: bigint,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<bigint, readonly number[]>> {
    const bounds = new Map<bigint, readonly number[]>();
    for (let at = 0; at < ids.length; at += IDS_PER_QUERY) {
      const parameters = { ids: ids.slice(at, at + IDS_PER_QUERY), since };
      for (const row of await this.reads.rows<BoundsRow>(BOUNDS_OF, { parameters, signal }))
        bounds.set(BigInt(row.series), row.bounds);
    }
    return bounds;
  }

  /** By the engine's RE2: a pattern of JavaScript could take for ever. */
  async matching(values: readonly string[], pattern: string, signal?: AbortSignal): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for (let at = 0; at < values.length; at += VALUES_PER_QUERY) {
      const parameters = { values: values.slice(at, at + VALUES_PER_QUERY), pattern: `^(?:${pattern})$` };
      for (const { value } of await this.reads.rows<MatchRow>(MATCHING, { parameters, signal })) found.add(value);
    }
    return found;
  }

  private async blocks(
    query: string,
    ids: readonly bigint[],
    range: PointRange,
    most: number,
    signal: AbortSignal | undefined,
  ): Promise<NativeBlock[]> {
    const blocks: NativeBlock[] = [];
    for (let at = 0; at < ids.length; at += IDS_PER_QUERY) {
      const parameters = {
        ids: ids.slice(at, at + IDS_PER_QUERY),
        from: range.fromUnixNs,
        to: range.toUnixNs,
        limit: most + 1,
      };
      blocks.push(...(await this.reads.blocks(query, { parameters, signal })));
    }
    return blocks;
  }
}

const tooMany = (most: number): StoreError =>
  new StoreError("too-large", `more than ${most} points: ask for fewer series or less time`);

/** A copy, as a block's columns lie where they came, whatever that is divisible by. */
function column<T>(block: NativeBlock, name: string, type: { new (buffer: ArrayBuffer): T }): T {
  const { start } = block.fixed(name);
  return new type(copied(block.bytes, start, start + 8 * block.rows));
}

/** Not `slice`, which of a Buffer shares its memory. */
const copied = (bytes: Uint8Array, from: number, to: number): ArrayBuffer =>
  new Uint8Array(bytes.subarray(from, to)).buffer;

function doubles(block: NativeBlock, name: string): (row: number) => Float64Array {
  const { ends, items } = block.array(name);
  if (items.kind !== "fixed") throw new Error(`${name} holds no numbers`);
  const { start } = items;
  return (row) => {
    const [from, to] = [row === 0 ? 0 : ends[row - 1]!, ends[row]!];
    return new Float64Array(copied(block.bytes, start + 8 * from, start + 8 * to));
  };
}
