import { weightedQuantile } from "../../analysis/weighted-quantile.ts";
import type { PageStatement } from "../../model/page.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { NS_PER_MS, NS_PER_S } from "../../model/units.ts";
import { rowsOf } from "../rows-by-node.ts";
import type { Window } from "../window.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** More are not read. */
const STATEMENTS = 100;

/** Calls of databases in complete traces by operation and statement, most time first. */
export function pageStatements(window: Window): { statements: PageStatement[]; left: number } {
  const { paths, text } = window;
  const groups = new Map<string, number[]>();
  for (let node = 0; node < paths.nodeCount; node++) {
    if (paths.role[node] !== SpanRole.database) continue;
    const key = `${paths.callee[node]} ${paths.operation[node]} ${paths.statement[node]}`;
    const held = groups.get(key);
    if (held === undefined) groups.set(key, [node]);
    else held.push(node);
  }
  const all = [...groups.values()].map((nodes) => ({ nodes, calls: callsOf(window, nodes) }));
  const total = all.reduce((sum, { calls }) => sum + calls.timeNs, 0);
  const seconds = lengthNs(window) / NS_PER_S;
  const inMs = (ns: number): number => Math.round(ns / 1e3) / (NS_PER_MS / 1e3);
  const statements = all
    .filter(({ calls }) => calls.weight > 0)
    .toSorted((a, b) => b.calls.timeNs - a.calls.timeNs)
    .map(({ nodes, calls }): PageStatement => {
      const first = nodes[0]!;
      const nameOf = (id: number): string => (id < 0 ? "" : text(id));
      return {
        database: nameOf(paths.callee[first]!),
        services: [...new Set(nodes.map((node) => text(paths.service[node]!)))],
        operation: text(paths.operation[first]!),
        statement: nameOf(paths.statement[first]!),
        perSecond: seconds > 0 ? calls.weight / seconds : 0,
        share: total > 0 ? calls.timeNs / total : 0,
        meanMs: inMs(calls.timeNs / calls.weight),
        p50Ms: inMs(weightedQuantile(calls.durationNs, calls.weights, 0.5)),
        p99Ms: inMs(weightedQuantile(calls.durationNs, calls.weights, 0.99)),
        errorRatio: calls.errors / calls.weight,
      };
    });
  return { statements: statements.slice(0, STATEMENTS), left: Math.max(0, statements.length - STATEMENTS) };
}

interface Calls {
  readonly durationNs: Float64Array;
  readonly weights: Float64Array;
  readonly weight: number;
  readonly timeNs: number;
  readonly errors: number;
}

function callsOf(window: Window, nodes: readonly number[]): Calls {
  const { forest, facts } = window;
  const rows = nodes.flatMap((node) => Array.from(rowsOf(window.rows, node)));
  const durationNs = mapToFloats(rows, (row) => forest.endNs[row]! - forest.startNs[row]!);
  const weights = mapToFloats(rows, (row) => forest.weight[forest.trace[row]!]!);
  let weight = 0;
  let timeNs = 0;
  let errors = 0;
  for (let i = 0; i < rows.length; i++) {
    weight += weights[i]!;
    timeNs += weights[i]! * durationNs[i]!;
    if (facts.error[rows[i]!] === 1) errors += weights[i]!;
  }
  return { durationNs, weights, weight, timeNs, errors };
}

/** From the first start to the last end of the complete traces. */
function lengthNs({ forest }: Window): number {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (let trace = 0; trace < forest.traceCount; trace++) {
    if (forest.complete[trace] !== 1) continue;
    first = Math.min(first, forest.startNs[forest.root[trace]!]!);
    last = Math.max(last, forest.endNs[forest.root[trace]!]!);
  }
  return last > first ? last - first : 0;
}
