import type { MetricTableBuilder } from "../model/metric-table-builder.ts";
import type { MetricTable } from "../model/metric-table.ts";
import type { SpanTableBuilder } from "../model/span-table-builder.ts";
import type { SpanTable } from "../model/span-table.ts";
import type { StackTable } from "../model/stack-table.ts";
import type { TraceExpression } from "../model/trace-query.ts";
import type { Connection } from "./connection.ts";
import type { MetricLookup } from "./stored-metrics.ts";
import type { LedgerEntry, SettingChange, StoredEvent, StoredSetting, StoredStatement } from "./history.ts";

/** What starts in `[fromUnixNs, toUnixNs)`, nanoseconds since 1970. */
export interface TimeRange {
  readonly fromUnixNs: bigint;
  readonly toUnixNs: bigint;
}

export interface ReadOptions {
  /** ends the query in the engine too */
  readonly signal?: AbortSignal;
}

export interface ReadSpansOptions extends ReadOptions {
  /** Share of the traces, 0 < share <= 1, drawn whole and by their id: the same traces each time, a smaller share within a larger one. 1 if absent. */
  readonly traceShare?: number;
  /** takes the spans behind those it holds; a new one if absent */
  readonly builder?: SpanTableBuilder;
}

export interface ReadMetricsOptions extends ReadOptions {
  /** only series of these metrics */
  readonly names?: readonly string[];
  /** takes the points behind those it holds; a new one if absent */
  readonly builder?: MetricTableBuilder;
}

export interface ReadStacksOptions extends ReadOptions {
  readonly service?: string;
}

/** One operation in one step of time. */
export interface RedRow {
  readonly startUnixNs: bigint;
  readonly service: string;
  readonly operation: string;
  /** SpanKind */
  readonly kind: number;
  readonly count: number;
  readonly errors: number;
  readonly sumNs: number;
  /** within 1 % of a quantile of the spans in the step; NaN where there is none */
  readonly p50Ns: number;
  readonly p95Ns: number;
  readonly p99Ns: number;
}

export interface RedQuery extends TimeRange {
  /** length of a step; whole minutes. The whole range is one step if absent. */
  readonly stepSeconds?: number;
  readonly service?: string;
  readonly operation?: string;
  /** only what a trace begins with */
  readonly rootsOnly?: boolean;
}

export interface TraceQuery extends TimeRange {
  readonly service?: string;
  readonly operation?: string;
  readonly minDurationNs?: number;
  readonly maxDurationNs?: number;
  readonly errorsOnly?: boolean;
  /** attributes that one span of the service and operation has, value as text */
  readonly attributes?: readonly { readonly key: string; readonly value: string }[];
  /**
   * Instead of all of these: traces in which this holds. Of `child` and `descendant` both sides are in the traces
   * found; who lies below whom is not looked at here.
   */
  readonly expression?: TraceExpression;
  readonly order?: "newest" | "slowest";
  /** at most so many traces, 1 .. 1000; 20 if absent */
  readonly limit?: number;
}

export interface TraceSummary {
  readonly traceId: string;
  /** of the trace's earliest span without a parent in it */
  readonly rootService: string;
  readonly rootOperation: string;
  readonly startUnixNs: bigint;
  /** from the start of the first span to the end of the last, of those within an hour of what was found */
  readonly durationNs: number;
  readonly spans: number;
  readonly errors: number;
  readonly services: readonly string[];
  /** duration of the span that was searched for */
  readonly matchDurationNs: number;
}

/** A span and the sets of spans of an expression. */
export interface SpanSets {
  /** hex */
  readonly spanId: string;
  readonly parentId: string;
  /** by the number of the set, as they stand in the expression from left to right: "1" where the span is in it, else "0" */
  readonly sets: string;
}

/** Calls from one service to another. */
export interface Edge {
  readonly caller: string;
  readonly callee: string;
  readonly operation: string;
  readonly count: number;
  readonly errors: number;
  readonly sumNs: number;
}

export interface Edges {
  /** where a sample was looked at, counts and sums are estimates of all */
  readonly edges: readonly Edge[];
  /** share of the spans that was looked at */
  readonly traceShare: number;
}

export interface StoredFinding {
  readonly id: string;
  readonly window: TimeRange;
  readonly firstSeenUnixNs: bigint;
  readonly lastSeenUnixNs: bigint;
  /** the finding as of the report */
  readonly json: string;
  /** how its prediction turned out, "" before the fix arrived */
  readonly scoreJson: string;
}

export interface Shards {
  readonly all: number;
  readonly answering: number;
}

export interface TableStatus {
  readonly table: string;
  readonly rows: number;
  readonly bytesOnDisk: number;
}

export interface StoreStatus {
  readonly engineVersion: string;
  readonly schemaVersion: number;
  readonly tables: readonly TableStatus[];
  /** parts being merged or waiting for it, of the table that has most in one partition */
  readonly mostParts: number;
  readonly oldestSpanUnixNs: bigint | undefined;
  readonly newestSpanUnixNs: bigint | undefined;
  readonly diskFreeBytes: number;
  readonly memoryBytes: number;
}

/** What is kept besides telemetry. Methods throw StoreError, as those of Store do. */
export interface History {
  saveEvents(events: readonly StoredEvent[]): Promise<void>;
  /** Events in the range, the newest first. */
  readEvents(range: TimeRange): Promise<readonly StoredEvent[]>;

  saveStatements(statements: readonly StoredStatement[]): Promise<void>;
  /** Statements seen last in the range, by service, database and id. */
  readStatements(range: TimeRange): Promise<readonly StoredStatement[]>;

  /** Keeps those whose value is another than before, and returns them. */
  saveSettings(settings: readonly StoredSetting[]): Promise<readonly SettingChange[]>;
  /** Settings as they were at a time. */
  readSettings(atUnixNs: bigint): Promise<readonly StoredSetting[]>;

  /** Totals since the first start, as of a time. */
  saveLedger(totals: readonly LedgerEntry[], timeUnixNs: bigint): Promise<void>;
  /** What was added within the range; a total that is smaller than the one before began anew. */
  readLedger(range: TimeRange): Promise<readonly LedgerEntry[]>;
}

/**
 * Telemetry that outlives the process. What an insert resolved for is on the disk; a token that was
 * inserted before is not inserted again. All methods throw StoreError, and nothing else, when the engine
 * is the reason.
 */
export interface Store {
  /** Plain data to `connect` with, in a worker thread too; an embedded engine keeps its port when it is started anew. */
  readonly connection: Connection;
  readonly history: History;
  /** single series of metrics, for questions about them */
  readonly lookup: MetricLookup;

  insertSpans(spans: SpanTable, token: string): Promise<void>;
  insertMetrics(metrics: MetricTable, token: string): Promise<void>;
  /** The token names the profile. Samples without a time of their own are of the time of this call. */
  insertStacks(stacks: StackTable, token: string): Promise<void>;

  /** Spans that start in the range, by trace id, then start, span id and what else tells them apart. */
  readSpans(range: TimeRange, options?: ReadSpansOptions): Promise<SpanTable>;

  /** Points in the range, by series and time; those of distributions last. */
  readMetrics(range: TimeRange, options?: ReadMetricsOptions): Promise<MetricTable>;
  /** Samples of profiles in the range, by process and in the order in which they were read. */
  readStacks(range: TimeRange, options?: ReadStacksOptions): Promise<StackTable>;

  /** All spans of a trace, none for one that is not there; `idHex` has 32 digits. */
  trace(idHex: string, options?: ReadOptions): Promise<SpanTable>;
  searchTraces(query: TraceQuery, options?: ReadOptions): Promise<readonly TraceSummary[]>;
  /**
   * All spans of these traces, at most 1000 of them, and in which of the expression's sets of spans each is, by trace id. Patterns are the engine's, whose time
   * grows with the text alone.
   */
  spanSets(
    traceIds: readonly string[],
    expression: TraceExpression,
    options?: ReadOptions,
  ): Promise<ReadonlyMap<string, readonly SpanSets[]>>;
  services(range: TimeRange): Promise<readonly string[]>;
  operations(
    service: string,
    range: TimeRange,
  ): Promise<readonly { readonly operation: string; readonly kind: number; readonly count: number }[]>;
  red(query: RedQuery, options?: ReadOptions): Promise<readonly RedRow[]>;
  /** Hours that were rolled up are counted from there, to the minute; of the rest a share of the traces is looked at. */
  edges(range: TimeRange, options?: ReadOptions & { readonly traceShare?: number }): Promise<Edges>;
  /** Counts the calls of the hours within the range that have spans and were not counted; returns how many hours. Spans of such an hour that come later are not in it. */
  rollUpEdges(range: TimeRange, options?: ReadOptions): Promise<number>;
  /** Number of spans that start in the range. */
  spansIn(range: TimeRange): Promise<number>;

  /** A finding of the same id is replaced. */
  saveFindings(findings: readonly StoredFinding[]): Promise<void>;
  /** Findings seen last in the range, the newest first. */
  readFindings(range: TimeRange): Promise<readonly StoredFinding[]>;

  /** Deletes the oldest partitions until the tables hold at most `maxBytes`; returns what went. */
  enforceSizeCap(
    maxBytes: number,
  ): Promise<readonly { readonly table: string; readonly partition: string; readonly bytes: number }[]>;
  status(): Promise<StoreStatus>;
  /** How many parts the tables are spread over, and how many of them answer. */
  shards(): Promise<Shards>;
  close(): Promise<void>;
}
