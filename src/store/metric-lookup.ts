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

/** A series as it is kept; lists as [key, AttributeType, value, key, ...]. */
export interface StoredSeries {
  readonly id: bigint;
  readonly name: string;
  readonly unit: string;
  /** MetricKind */
  readonly kind: number;
  /** Temporality */
  readonly temporality: number;
  readonly monotonic: boolean;
  readonly resource: readonly (string | number)[];
  readonly labels: readonly (string | number)[];
}

/** Points of several series, by series and ascending time. */
export interface StoredPoints {
  readonly rowCount: number;
  readonly series: BigUint64Array;
  /** nanoseconds since 1970 */
  readonly timeNs: BigInt64Array;
  /** NaN: none was recorded */
  readonly value: Float64Array;
}

/** A point of a distribution: of a histogram its buckets' counts, of a summary values at quantiles. */
export interface StoredDistribution {
  readonly series: bigint;
  readonly timeNs: bigint;
  readonly sum: number;
  readonly count: number;
  readonly bounds: Float64Array;
  readonly counts: Float64Array;
}

interface Range {
  readonly fromUnixNs: bigint;
  /** not included */
  readonly toUnixNs: bigint;
}

/** Ids of one query stand in its address. */
const IDS_PER_QUERY = 5000;
const VALUES_PER_QUERY = 200;

interface Reads {
  rows<Row>(query: string, options: QueryOptions): Promise<Row[]>;
  blocks(query: string, options: QueryOptions): Promise<Iterable<NativeBlock>>;
}

/** Finds series by name, and reads the points of some; limits are told, never kept silently. */
export class MetricLookup {
  private readonly reads: Reads;

  constructor(reads: Reads) {
    this.reads = reads;
  }

  /**
   * Series that may have points since `sinceUnixNs`, to the day: those of any of `names` (in which all but letters,
   * digits, _ and : stand as _), all if absent. Throws StoreError "too-large" for more than `most`.
   */
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

  /** Points of gauges and sums. Throws StoreError "too-large" for more than `most`. */
  async points(
    ids: readonly bigint[],
    range: Range,
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
    range: Range,
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

  /** Finite bounds that distributions have had since a time, ascending. */
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

  /** Those of the values that a regular expression matches whole. The engine's (RE2) needs linear time, whatever it is asked. */
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
    range: Range,
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
