import { SpanTableBuilder } from "../model/span-table-builder.ts";
import type { MetricTable } from "../model/metric-table.ts";
import type { SpanTable } from "../model/span-table.ts";
import type { StackTable } from "../model/stack-table.ts";
import type { TraceExpression } from "../model/trace-query.ts";
import { type Connection, Link, type QueryOptions, type Settings } from "./connection.ts";
import { inSlices } from "./in-slices.ts";
import { BlockMemory } from "./native/block-memory.ts";
import { ClickHouseHistory } from "./clickhouse-history.ts";
import { nativeBlocks } from "./native/native-reader.ts";
import { SPAN_COLUMNS, spanBlockSteps } from "./native/span-block.ts";
import { SpanRows } from "./native/span-rows.ts";
import { EdgeCounts } from "./edge-counts.ts";
import { findingValues, type FindingRow, READ_FINDINGS, storedFinding } from "./queries/findings.ts";
import { OPERATIONS, type OperationRow, type ServiceRow, SERVICES } from "./queries/names.ts";
import { COUNT_SPANS, type CountRow, READ_SPANS, READ_TRACE } from "./queries/read-spans.ts";
import { RED_ROWS, redParameters, redRow, type RedSqlRow } from "./queries/red.ts";
import {
  type FoundRow,
  searchLimit,
  searchParameters,
  searchRanges,
  searchSql,
  SUMMARIES,
  summaryParameters,
  type SummaryRow,
  traceSummary,
} from "./queries/search-traces.ts";
import { ClickHouseLookup } from "./metric-lookup.ts";
import { SHARDS } from "./queries/status.ts";
import { rangeParameters } from "./queries/time-range.ts";
import { expressionSql, spanSetsSql, type SpanSetsRow } from "./queries/trace-query-sql.ts";
import { enforceSizeCap, type Dropped } from "./size-cap.ts";
import type {
  Edges,
  History,
  ReadMetricsOptions,
  ReadOptions,
  ReadSpansOptions,
  ReadStacksOptions,
  RedQuery,
  RedRow,
  Shards,
  SpanSets,
  Store,
  StoredFinding,
  StoreStatus,
  TimeRange,
  TraceQuery,
  TraceSummary,
} from "./store.ts";
import { StoreError } from "./store-error.ts";
import type { MetricLookup } from "./stored-metrics.ts";
import { highestHash, LARGEST_HASH } from "./trace-share.ts";
import { type Insert, MetricInserts, type Read, readMetrics, readStacks, writeStacks } from "./telemetry-tables.ts";
import { readStatus } from "./store-status.ts";

/** Spans of one query at most; some 300 bytes each are held twice while they are read. */
const SPANS_PER_QUERY = 250_000;
/** One block is one part per partition, whatever its size; and it is deduplicated in the views' tables as in its own. */
const INSERT: Settings = {
  async_insert: 0,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  max_insert_block_size: "10000000",
  min_insert_block_size_rows: "0",
  min_insert_block_size_bytes: "0",
  max_partitions_per_insert_block: "0",
  distributed_foreground_insert: 1,
  // Rows of a block are summed already, where they would be; and values of attributes are indexed by merges.
  optimize_on_insert: 0,
  exclude_materialize_skip_indexes_on_insert: "by_value",
};

const READ: Settings = { distributed_product_mode: "local", cancel_http_readonly_queries_on_client_close: 1 };

/** The store on a ClickHouse whose tables are there: see connect.ts and embedded/open-embedded.ts. */
export class ClickHouseStore implements Store {
  readonly connection: Connection;
  private readonly link: Link;
  /** a link to each node, for what is done node by node; the same one where there is one node */
  private readonly nodes: readonly Link[];
  private readonly memory = new BlockMemory();
  private readonly read: Settings;
  readonly history: History;
  readonly lookup: MetricLookup;
  private readonly edgeCounts: EdgeCounts;
  private readonly metrics: MetricInserts = new MetricInserts((...block) => this.insert(...block));

  constructor(connection: Connection) {
    this.connection = connection;
    this.link = new Link(connection);
    this.read = connection.partialReads === true ? { ...READ, skip_unavailable_shards: 1 } : READ;
    this.history = new ClickHouseHistory(this.link, connection.database, INSERT);
    this.lookup = new ClickHouseLookup({
      rows: (query, options) => this.rows(query, options),
      blocks: (query, options) => this.reader(options)(query),
    });
    this.edgeCounts = new EdgeCounts(
      this.link,
      connection.database,
      {
        rows: (query, options) => this.rows(query, options),
        countSpans: (range, highest, signal) => this.countSpans(range, highest, signal),
      },
      INSERT,
    );
    this.nodes =
      connection.cluster === undefined
        ? [this.link]
        : connection.urls.map((url) => new Link({ ...connection, urls: [url] }));
  }

  async insertSpans(spans: SpanTable, token: string): Promise<void> {
    if (spans.rowCount === 0) return;
    const block = await inSlices(spanBlockSteps(spans, this.memory.take()));
    await this.insert("spans", SPAN_COLUMNS, block, token);
    // Only here: of a request that failed, a socket may still hold it.
    this.memory.giveBack(block);
  }

  insertMetrics(metrics: MetricTable, token: string): Promise<void> {
    return this.metrics.write(metrics, token);
  }

  insertStacks(stacks: StackTable, token: string): Promise<void> {
    return writeStacks(this.insert, stacks, token, BigInt(Date.now()) * 1_000_000n);
  }

  readMetrics(range: TimeRange, { builder, signal, names = [] }: ReadMetricsOptions = {}): Promise<MetricTable> {
    return readMetrics(this.reader({ parameters: { names: [...names], ...rangeParameters(range) }, signal }), builder);
  }

  readStacks(range: TimeRange, { service = "", signal }: ReadStacksOptions = {}): Promise<StackTable> {
    return readStacks(this.reader({ parameters: { service, ...rangeParameters(range) }, signal }));
  }

  async readSpans(range: TimeRange, options: ReadSpansOptions = {}): Promise<SpanTable> {
    const { traceShare = 1, signal } = options;
    const builder = options.builder ?? new SpanTableBuilder();
    const highest = highestHash(traceShare);
    const spans = await this.countSpans(range, highest, signal);
    const queries = BigInt(Math.max(1, Math.ceil(spans / SPANS_PER_QUERY)));
    const rows = new SpanRows(builder);
    for (let i = 0n; spans > 0 && i < queries; i++) {
      // The ranges of hashes adjoin and cover [0, highest].
      const lowest = (highest * i) / queries + (i === 0n ? 0n : 1n);
      const parameters = { ...rangeParameters(range), lowest, highest: (highest * (i + 1n)) / queries };
      await this.addSpans(rows, builder, READ_SPANS, { parameters, signal });
    }
    return builder.finish().table;
  }

  async trace(idHex: string, { signal }: ReadOptions = {}): Promise<SpanTable> {
    if (!/^[0-9a-f]{32}$/i.test(idHex)) {
      throw new StoreError("refused", `${JSON.stringify(idHex)} is no trace id: 32 hex digits are needed`);
    }
    const builder = new SpanTableBuilder();
    await this.addSpans(new SpanRows(builder), builder, READ_TRACE, { parameters: { id: idHex }, signal });
    return builder.finish().table;
  }

  async searchTraces(query: TraceQuery, { signal }: ReadOptions = {}): Promise<readonly TraceSummary[]> {
    const found = await this.findTraces(query, signal);
    if (found.length === 0) return [];
    const summaries = await this.rows<SummaryRow>(SUMMARIES, { parameters: summaryParameters(found), signal });
    const byId = new Map(summaries.map((row) => [row.id, row]));
    return found.flatMap((row) => {
      const summary = byId.get(row.id);
      return summary === undefined ? [] : [traceSummary(summary, row)];
    });
  }

  async spanSets(
    traceIds: readonly string[],
    expression: TraceExpression,
    { signal }: ReadOptions = {},
  ): Promise<ReadonlyMap<string, readonly SpanSets[]>> {
    const { sql, parameters } = spanSetsSql(expression);
    const rows = await this.rows<SpanSetsRow>(sql, { parameters: { ...parameters, ids: traceIds }, signal });
    const byTrace = new Map<string, SpanSets[]>(traceIds.map((id) => [id, []]));
    for (const { id, span, parent, sets } of rows) byTrace.get(id)!.push({ spanId: span, parentId: parent, sets });
    return byTrace;
  }

  async services(range: TimeRange): Promise<readonly string[]> {
    const rows = await this.rows<ServiceRow>(SERVICES, { parameters: rangeParameters(range) });
    return rows.map(({ service }) => service);
  }

  operations(service: string, range: TimeRange): Promise<readonly OperationRow[]> {
    return this.rows<OperationRow>(OPERATIONS, { parameters: { service, ...rangeParameters(range) } });
  }

  async red(query: RedQuery, { signal }: ReadOptions = {}): Promise<readonly RedRow[]> {
    const rows = await this.rows<RedSqlRow>(RED_ROWS, { parameters: redParameters(query), signal });
    return rows.map(redRow);
  }

  edges(range: TimeRange, options: ReadOptions & { readonly traceShare?: number } = {}): Promise<Edges> {
    return this.edgeCounts.edges(range, options);
  }

  rollUpEdges(range: TimeRange, options: ReadOptions = {}): Promise<number> {
    return this.edgeCounts.rollUp(range, options);
  }

  spansIn(range: TimeRange): Promise<number> {
    return this.countSpans(range, LARGEST_HASH, undefined);
  }

  async saveFindings(findings: readonly StoredFinding[]): Promise<void> {
    if (findings.length === 0) return;
    await this.link.insertRows(`${this.connection.database}.findings`, findings.map(findingValues), {
      settings: INSERT,
    });
  }

  async readFindings(range: TimeRange): Promise<readonly StoredFinding[]> {
    const rows = await this.rows<FindingRow>(READ_FINDINGS, { parameters: rangeParameters(range) });
    return rows.map(storedFinding);
  }

  async enforceSizeCap(maxBytes: number): Promise<readonly Dropped[]> {
    const dropped = await Promise.all(
      this.nodes.map((node) => enforceSizeCap(node, this.connection, maxBytes / this.nodes.length)),
    );
    return dropped.flat();
  }

  status(): Promise<StoreStatus> {
    return readStatus(this.link, this.connection);
  }

  async shards(): Promise<Shards> {
    const { cluster } = this.connection;
    if (cluster === undefined) return { all: 1, answering: 1 };
    const settings = { skip_unavailable_shards: 1 };
    const [row] = await this.link.rows<Shards>(SHARDS, { parameters: { cluster }, settings, asWriter: true });
    return row!;
  }

  async close(): Promise<void> {
    await Promise.all([...new Set([this.link, ...this.nodes])].map((link) => link.close()));
  }

  /**
   * The first span found of each trace, the newest from the end of the range backwards. How many spans have to be looked at for so many traces is not known: few more
   * than those first, then many. "One of each trace" in the engine would sort all that match.
   */
  private async findTraces(query: TraceQuery, signal: AbortSignal | undefined): Promise<readonly FoundRow[]> {
    const limit = searchLimit(query);
    if (query.expression !== undefined) {
      const { sql, parameters } = expressionSql(query.expression, query.order ?? "newest");
      return this.rows<FoundRow>(sql, { parameters: { ...rangeParameters(query), ...parameters, limit }, signal });
    }
    const sql = searchSql(query);
    for (const range of searchRanges(query)) {
      const isLast = range.fromUnixNs === query.fromUnixNs;
      for (let spans = firstSpans(limit); ; spans *= 32) {
        const parameters = searchParameters({ ...query, ...range }, spans);
        const rows = await this.rows<FoundRow>(sql, { parameters, signal });
        const first = new Map<string, FoundRow>();
        for (const row of rows) if (!first.has(row.id)) first.set(row.id, row);
        if (first.size >= limit || (isLast && rows.length < spans)) return [...first.values()].slice(0, limit);
        if (rows.length < spans) break;
      }
    }
    return [];
  }

  private rows<Row>(query: string, options: QueryOptions): Promise<Row[]> {
    return this.link.rows<Row>(query, { settings: this.read, ...options });
  }

  private async countSpans(range: TimeRange, highest: bigint, signal: AbortSignal | undefined): Promise<number> {
    const [row] = await this.rows<CountRow>(COUNT_SPANS, {
      parameters: { ...rangeParameters(range), highest },
      signal,
    });
    return Number(row?.spans ?? 0);
  }

  private async addSpans(
    rows: SpanRows,
    builder: SpanTableBuilder,
    query: string,
    options: QueryOptions,
  ): Promise<void> {
    for (const block of await this.reader(options)(query)) rows.add(block);
    builder.strings.releaseSource();
  }

  private reader(options: QueryOptions): Read {
    return async (query) => nativeBlocks(await this.link.native(query, { settings: this.read, ...options }));
  }

  private readonly insert: Insert = async (table, columns, block, token) => {
    const into = `${this.connection.database}.${table} (${columns.join(", ")})`;
    const settings = { ...INSERT, insert_deduplication_token: token };
    await this.link.insertNative(`INSERT INTO ${into} FORMAT Native`, [block], { settings });
  };
}

/** Up to 1000 the engine leaves out what its indexes show to be too small (query_plan_max_limit_for_top_k_optimization). */
const firstSpans = (limit: number): number => Math.max(8 * limit, Math.min(32 * limit, 1000));
