import { SpanRole, type SpanFacts } from "../model/span-facts.ts";
import { SpanFlag } from "../model/trace-forest.ts";

/** Smallest share of an operation's spans that has to arrive that way: what is lost on the way is lost here and there. */
const MIN_SHARE = 0.9;
/** Fewer traces may all have lost their root by one bad moment of a collector. */
const MIN_TRACES = 20;

/** What is known of the traces before their roots are judged; as in TraceForest. */
export interface TopSpans {
  readonly rows: Int32Array;
  readonly traceStart: Int32Array;
  readonly parent: Int32Array;
  readonly flags: Uint16Array;
  readonly facts: SpanFacts;
}

/**
 * Per trace: 1 where the caller is remote and not recorded. Its only top span names a parent that was not received, and
 * so do nearly all spans of that operation, each the only top of its trace, in at least 20 traces: what calls it
 * passes a trace context on and sends no spans. Such a trace holds all that there is. Where parents are lost at random
 * the same operation is also seen below its caller, or beside other tops, and nothing is marked.
 *
 * Calls (CLIENT, PRODUCER) are never entries: their parent is a span of the same process. Linear.
 */
export function remoteRoots(tops: TopSpans): Uint8Array {
  const { facts, traceStart, rows } = tops;
  const traceCount = traceStart.length - 1;
  const topOf = new Int32Array(traceCount);
  for (let t = 0; t < traceCount; t++) topOf[t] = onlyOrphanTop(tops, t);
  const remote = new Uint8Array(traceCount);
  if (!topOf.some((row) => row >= 0)) return remote;
  const operations = new Map<string, { spans: number; tops: number }>();
  const keyOf = (row: number): string => `${facts.service[row]} ${facts.operation[row]} ${facts.role[row]}`;
  for (const row of topOf) {
    if (row < 0) continue;
    const held = operations.get(keyOf(row));
    if (held === undefined) operations.set(keyOf(row), { spans: 0, tops: 1 });
    else held.tops++;
  }
  const named = new Set(Array.from(topOf, (row) => (row < 0 ? -1 : facts.operation[row]!)));
  for (const row of rows) {
    // Most rows are of other operations: no key is made for them.
    const held = named.has(facts.operation[row]!) ? operations.get(keyOf(row)) : undefined;
    if (held !== undefined) held.spans++;
  }
  topOf.forEach((row, t) => {
    if (row < 0) return;
    const { spans, tops: count } = operations.get(keyOf(row))!;
    if (count >= MIN_TRACES && count >= MIN_SHARE * spans) remote[t] = 1;
  });
  return remote;
}

/** Row of the only top span of a trace, if its parent is missing and nothing else is wrong with the trace; else -1. */
function onlyOrphanTop({ rows, traceStart, parent, flags, facts }: TopSpans, trace: number): number {
  let top = -1;
  for (let i = traceStart[trace]!; i < traceStart[trace + 1]!; i++) {
    const row = rows[i]!;
    if ((flags[row]! & (SpanFlag.cycleCut | SpanFlag.absurdDuration)) !== 0) return -1;
    if (parent[row]! >= 0) continue;
    if (top >= 0 || (flags[row]! & SpanFlag.orphan) === 0) return -1;
    top = row;
  }
  return top >= 0 && isEntry(facts.role[top]!) ? top : -1;
}

const isEntry = (role: number): boolean =>
  role === SpanRole.server || role === SpanRole.consumer || role === SpanRole.internal;
