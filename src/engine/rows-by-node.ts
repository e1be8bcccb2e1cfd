import type { CallPaths } from "../model/call-paths.ts";
import type { TraceForest } from "../model/trace-forest.ts";

/** Span rows of complete traces grouped by call-path node: rows of node n are `rows[start[n] .. start[n + 1]]`. */
export interface RowsByNode {
  readonly start: Int32Array;
  readonly rows: Int32Array;
}

/** Counting sort; rows of a node keep the order of the forest. */
export function rowsByNode(forest: TraceForest, paths: CallPaths): RowsByNode {
  const start = new Int32Array(paths.nodeCount + 1);
  const counts = (row: number): boolean => forest.complete[forest.trace[row]!] === 1;
  for (const row of forest.rows) if (counts(row)) start[paths.nodeOfRow[row]! + 1]!++;
  for (let node = 0; node < paths.nodeCount; node++) start[node + 1]! += start[node]!;
  const next = start.slice();
  const rows = new Int32Array(start[paths.nodeCount]!);
  for (const row of forest.rows) if (counts(row)) rows[next[paths.nodeOfRow[row]!]!++] = row;
  return { start, rows };
}

export const rowsOf = (rows: RowsByNode, node: number): Int32Array =>
  rows.rows.subarray(rows.start[node]!, rows.start[node + 1]!);
