import type { MetricTable } from "../model/metric-table.ts";
import { type SpanTable, spanIdHex } from "../model/span-table.ts";
import type { StackTable } from "../model/stack-table.ts";
import { StringPool } from "../model/string-pool.ts";

/** Keeps what it is given, each token once, as the store does. */
export class RecordingSink {
  readonly spans: Map<string, SpanTable> = new Map();
  readonly metrics: Map<string, MetricTable> = new Map();
  readonly stacks: Map<string, StackTable> = new Map();
  /** tokens in the order in which they came, again and again */
  readonly calls: string[] = [];
  /** called before a block is taken; may throw or wait */
  before: (token: string) => Promise<void> | void = () => {};

  async insertSpans(table: SpanTable, token: string): Promise<void> {
    await this.keep(this.spans, table, token);
  }

  async insertMetrics(table: MetricTable, token: string): Promise<void> {
    await this.keep(this.metrics, table, token);
  }

  async insertStacks(table: StackTable, token: string): Promise<void> {
    await this.keep(this.stacks, table, token);
  }

  private async keep<Table extends { readonly strings: StringPool }>(
    into: Map<string, Table>,
    table: Table,
    token: string,
  ): Promise<void> {
    this.calls.push(token);
    await this.before(token);
    if (!into.has(token)) into.set(token, copyOf(table));
  }

  /** Ids of all spans, in hex, in the order of their blocks. */
  spanIds(): string[] {
    return [...this.spans.values()].flatMap((table) =>
      Array.from({ length: table.rowCount }, (_, row) => spanIdHex(table, row)),
    );
  }

  pointCount(): number {
    return [...this.metrics.values()].reduce((sum, table) => sum + table.points.rowCount, 0);
  }
}

/** What ingest gives is written over by the next block. */
function copyOf<Table extends { readonly strings: StringPool }>(table: Table): Table {
  const copy = structuredClone(table);
  Object.setPrototypeOf(copy.strings, StringPool.prototype);
  return copy;
}
