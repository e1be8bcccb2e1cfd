import type { MetricTable } from "../model/metric-table.ts";
import type { SpanTable } from "../model/span-table.ts";
import type { StackTable } from "../model/stack-table.ts";

/**
 * Where blocks go: the store.
 *
 * A call resolves when the block will survive a crash. A block may come again with the same token and the same rows,
 * after a crash or a lost answer, and must then be stored once. A rejection is tried again, for as long as it takes,
 * but for an error whose `permanent` is true: that block is dropped and counted. A table is the sink's until the call
 * settles, and is then written over by another block.
 */
export interface Sink {
  insertSpans(table: SpanTable, token: string): Promise<void>;
  insertMetrics(table: MetricTable, token: string): Promise<void>;
  insertStacks(table: StackTable, token: string): Promise<void>;
}

/** Whether a sink says that it will never take this block. */
export function isPermanent(error: unknown): boolean {
  return typeof error === "object" && error !== null && "permanent" in error && error.permanent === true;
}
