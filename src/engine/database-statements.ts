import { ascendingOrder } from "../analysis/ascending-order.ts";
import { quantileRank } from "../analysis/weighted-quantile.ts";
import { SpanRole } from "../model/span-facts.ts";
import { spanDuration, spanRows } from "./case.ts";
import { oncePerWindow } from "./once-per-window.ts";
import type { Window } from "./window.ts";
import { mapToFloats, mapToInts } from "../model/map-column.ts";

/** All calls of one database: ascending durations, and per call the number of its statement. */
interface DatabaseCalls {
  readonly durationNs: Float64Array;
  readonly work: Int32Array;
  /** "operation statement" by string ids, as one number each */
  readonly workOf: ReadonlyMap<string, number>;
  /** calls per statement */
  readonly calls: Int32Array;
}

/** Calls of the other statements on the database that `node` calls, and their median; transaction control is left out. */
export function otherStatements(window: Window, node: number): { calls: number; medianNs: number } {
  const held = callsByDatabase(window).get(window.paths.callee[node]!);
  if (held === undefined) return { calls: 0, medianNs: 0 };
  const own = held.workOf.get(workKey(window, node)) ?? -1;
  const calls = held.durationNs.length - (own < 0 ? 0 : held.calls[own]!);
  return { calls, medianNs: calls === 0 ? 0 : medianWithout(held, own, calls) };
}

/** Median of the `count` calls that are not of statement `without`, as `quantileOfAscending` defines it. */
function medianWithout({ durationNs, work }: DatabaseCalls, without: number, count: number): number {
  const { rank, fraction } = quantileRank(count, 0.5);
  let passed = 0;
  let low = 0;
  for (let i = 0; i < durationNs.length; i++) {
    if (work[i] === without) continue;
    passed++;
    if (passed === rank) low = durationNs[i]!;
    if (passed === rank && fraction === 0) return low;
    if (passed > rank) return low + fraction * (durationNs[i]! - low);
  }
  return low;
}

const workKey = ({ paths }: Window, node: number): string => `${paths.operation[node]} ${paths.statement[node]}`;

/** By string id of the database, -1 for calls that do not name theirs. */
const callsByDatabase = oncePerWindow((window): ReadonlyMap<number, DatabaseCalls> => {
  const { paths } = window;
  const nodes = new Map<number, number[]>();
  for (let node = 0; node < paths.nodeCount; node++) {
    if (paths.role[node] !== SpanRole.database || isTransactionControl(window, node)) continue;
    const held = nodes.get(paths.callee[node]!);
    if (held === undefined) nodes.set(paths.callee[node]!, [node]);
    else held.push(node);
  }
  return new Map([...nodes].map(([callee, members]) => [callee, callsOf(window, members)]));
});

function callsOf(window: Window, nodes: readonly number[]): DatabaseCalls {
  const workOf = new Map<string, number>();
  const total = nodes.reduce((sum, node) => sum + spanRows(window, node).length, 0);
  const duration = new Float64Array(total);
  const workAt = new Int32Array(total);
  let n = 0;
  for (const node of nodes) {
    const key = workKey(window, node);
    let work = workOf.get(key);
    if (work === undefined) workOf.set(key, (work = workOf.size));
    for (const row of spanRows(window, node)) {
      duration[n] = spanDuration(window, row);
      workAt[n++] = work;
    }
  }
  const calls = new Int32Array(workOf.size);
  for (const work of workAt) calls[work]!++;
  const order = ascendingOrder(duration);
  return {
    durationNs: mapToFloats(order, (i) => duration[i]!),
    work: mapToInts(order, (i) => workAt[i]!),
    workOf,
    calls,
  };
}

/** BEGIN, COMMIT and pings cost next to nothing and would make everything an outlier. */
function isTransactionControl({ paths, text }: Window, node: number): boolean {
  const operation = text(paths.operation[node]!);
  const statement = paths.statement[node]! < 0 ? "" : text(paths.statement[node]!);
  return /^(?:begin|commit|rollback|set|savepoint|release|ping|connect)\b/i.test(
    statement || operation.replace(/^.*[:.]/, ""),
  );
}
