import { matchTrace } from "../../analysis/match-traces.ts";
import { tracesOf } from "../../analysis/trace-spans.ts";
import type { TraceExpression } from "../../model/trace-query.ts";
import type { Store, TimeRange, TraceSummary } from "../../store/store.ts";

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
const AT_ONCE = 8;

/** Stored traces in which an expression holds. Where it asks who lies below whom, candidates of the store are read and looked at. */
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
    const tables = await Promise.all(part.map(({ traceId }) => store.trace(traceId, options)));
    for (const [i, spans] of tables.entries()) {
      const [trace] = tracesOf(spans).values();
      if (trace !== undefined && matchTrace(expression, trace).length > 0) traces.push(part[i]!);
    }
  }
  return {
    traces: traces.slice(0, limit),
    lookedAt,
    more: traces.length >= limit || (lookedAt === candidates.length && candidates.length === CANDIDATES),
  };
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
