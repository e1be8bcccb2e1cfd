import { blameTraces, type BlameTable } from "../analysis/blame.ts";
import { buildCallPaths } from "../analysis/call-paths.ts";
import { inCanonicalOrder } from "../analysis/canonical-order.ts";
import { criticalPaths } from "../analysis/critical-path.ts";
import { groupEndpoints, type Endpoint } from "../analysis/endpoints.ts";
import { describeSpans } from "../analysis/span-facts.ts";
import { spanTimeKinds } from "../analysis/time-kinds.ts";
import { assembleTraces } from "../analysis/trace-assembly.ts";
import type { CallPaths } from "../model/call-paths.ts";
import type { SegmentTable } from "../model/segments.ts";
import type { SpanFacts } from "../model/span-facts.ts";
import type { SpanTable } from "../model/span-table.ts";
import type { TraceForest } from "../model/trace-forest.ts";
import { rowsByNode, type RowsByNode } from "./rows-by-node.ts";

/** A window of data with everything that the diagnosis derives from it once. */
export interface Window {
  /** in canonical order, whatever the order in which they came */
  readonly spans: SpanTable;
  readonly facts: SpanFacts;
  readonly forest: TraceForest;
  readonly paths: CallPaths;
  /** TimeKind id per span row */
  readonly kinds: Uint8Array;
  readonly segments: SegmentTable;
  readonly blame: BlameTable;
  /** most total time first */
  readonly endpoints: readonly Endpoint[];
  /** requests of all endpoints together, weighted */
  readonly requests: number;
  readonly rows: RowsByNode;
  /** text of a string id */
  readonly text: (id: number) => string;
}

/** Called between the steps of a long analysis; rejects or returns to go on. */
export type Checkpoint = (stage: string, done: number, total: number) => Promise<void>;

/** Spans → trees → call paths → critical paths → blame, one step at a time so that progress shows and Ctrl-C is heard. */
export async function buildWindow(received: SpanTable, checkpoint: Checkpoint): Promise<Window> {
  const steps = 6;
  await checkpoint("reading attributes", 0, steps);
  const spans = inCanonicalOrder(received);
  const facts = describeSpans(spans);
  await checkpoint("assembling traces", 1, steps);
  const forest = assembleTraces(spans, facts);
  await checkpoint("merging call paths", 2, steps);
  const paths = buildCallPaths(forest);
  const kinds = spanTimeKinds(forest);
  await checkpoint("walking critical paths", 3, steps);
  const segments = criticalPaths(forest);
  await checkpoint("summing blame", 4, steps);
  const blame = blameTraces(segments, paths, kinds);
  await checkpoint("grouping endpoints", 5, steps);
  const endpoints = groupEndpoints(forest);
  const rows = rowsByNode(forest, paths);
  const requests = endpoints.reduce((sum, endpoint) => sum + endpoint.totalWeight, 0);
  return {
    spans,
    facts,
    forest,
    paths,
    kinds,
    segments,
    blame,
    endpoints,
    requests,
    rows,
    text: (id) => spans.strings.get(id),
  };
}
