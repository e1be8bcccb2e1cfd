import { SpanFlag, type TraceForest } from "../model/trace-forest.ts";

/**
 * Self time of every span: its duration minus the union of its children's, each cut to the span. Of a CLIENT span
 * with its SERVER child this is the transit, request and response leg together. Children that nobody waits for
 * (asynchronous) take nothing away.
 *
 * Returns nanoseconds, one element per span row; 0 outside of the forest. O(n): children are ascending by start.
 */
export function selfTimes(forest: TraceForest): Float64Array {
  const { rows, childStart, child, startNs, endNs, flags } = forest;
  const self = new Float64Array(forest.spans.rowCount);
  for (const row of rows) {
    const end = endNs[row]!;
    let covered = 0;
    let reached = startNs[row]!;
    for (let i = childStart[row]!; i < childStart[row + 1]!; i++) {
      const other = child[i]!;
      if ((flags[other]! & SpanFlag.asynchronous) !== 0) continue;
      const from = Math.max(reached, startNs[other]!);
      const to = Math.min(end, endNs[other]!);
      if (to <= from) continue;
      covered += to - from;
      reached = to;
    }
    self[row] = end - startNs[row]! - covered;
  }
  return self;
}
