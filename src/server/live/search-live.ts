import { matchSets } from "../../analysis/match-traces.ts";
import type { TraceExpression } from "../../model/trace-query.ts";
import type { SpanSets, Store, TimeRange, TraceSummary } from "../../store/store.ts";

export interface LiveSearch extends TimeRange {
  readonly expression: TraceExpression;
  readonly order?: "newest" | "slowest";
  readonly limit?: number;
}

export interface FoundLive {
  readonly traces: readonly TraceSummary[];
  /** traces that were read to see who lies below whom; absent where that was not asked */
  readonly lookedAt?: number;
  /** whether there may be others */
  readonly more: boolean;
}

const DEFAULT_LIMIT = 20;
/** Traces that are read for `>` and `>>`; the store's own limit of a search. */
const CANDIDATES = 1000;
/** Traces read at a time. */
const AT_ONCE = 16;

/**
 * Stored traces in which an expression holds. Where it asks who lies below whom, the store tells of the spans of candidates in
 * which sets they are, and that is looked at here: no pattern of the question is tried in this process.
 */
export async function searchLive(store: Store, search: LiveSearch, signal?: AbortSignal): Promise<FoundLive> {
  const { expression, limit = DEFAULT_LIMIT } = search;
  const options = signal === undefined ? {} : { signal };
  if (!hasRelation(expression)) {
    const traces = await store.searchTraces({ ...search, limit }, options);
    return { traces, more: traces.length === limit };
  }
  const candidates = await store.searchTraces({ ...search, limit: CANDIDATES }, options);
  const traces: TraceSummary[] = [];
  let lookedAt = 0;
  while (lookedAt < candidates.length && traces.length < limit) {
    signal?.throwIfAborted();
    const part = candidates.slice(lookedAt, lookedAt + AT_ONCE);
    lookedAt += part.length;
    const ids = part.map(({ traceId }) => traceId);
    const found = await store.spanSets(ids, expression, options);
    for (const trace of part) if (isMatch(expression, found.get(trace.traceId)!)) traces.push(trace);
  }
  return {
    traces: traces.slice(0, limit),
    lookedAt,
    more: traces.length >= limit || (lookedAt === candidates.length && candidates.length === CANDIDATES),
  };
}

function isMatch(expression: TraceExpression, spans: readonly SpanSets[]): boolean {
  const places = new Map(spans.map(({ spanId }, row) => [spanId, row]));
  const parent = (row: number): number => places.get(spans[row]!.parentId) ?? -1;
  return matchSets(expression, { count: spans.length, parent }, (set, row) => spans[row]!.sets[set] === "1").length > 0;
}

function hasRelation(expression: TraceExpression): boolean {
  if (expression.kind === "spans") return false;
  return (
    expression.kind === "child" ||
    expression.kind === "descendant" ||
    hasRelation(expression.left) ||
    hasRelation(expression.right)
  );
}
