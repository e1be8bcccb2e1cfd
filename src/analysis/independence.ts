import type { CallPaths } from "../model/call-paths.ts";
import { SpanRole } from "../model/span-facts.ts";
import { clopperPearsonInterval } from "./hypothesis-tests.ts";
import type { ProgramModel } from "./program-model.ts";
import { pairRow } from "./sibling-order.ts";

/** Why two kinds of call of one parent are held to be independent of, or dependent on, each other. */
export type Independence =
  /** seen running at the same time */
  | { readonly kind: "independent"; readonly because: "overlap" }
  /** seen in both orders, each in at least two parents */
  | { readonly kind: "independent"; readonly because: "both-orders" }
  /** the later one was also made where the earlier was not, or had failed */
  | { readonly kind: "independent"; readonly because: "without-it" }
  /** the later one needs what the earlier acquired: a connection of a pool */
  | { readonly kind: "dependent"; readonly because: "acquires" }
  /** parts of one transaction, which has one connection */
  | { readonly kind: "dependent"; readonly because: "transaction" }
  /** the later is a loop whose length varies from trace to trace, right after the earlier: it iterates over its result */
  | { readonly kind: "dependent"; readonly because: "loop-over-result" }
  /** always in the same order, which proves nothing: a program may await one after the other without need */
  | { readonly kind: "unknown" };

/**
 * Does `to` need what `from` found out? Both are call-path nodes of the same parent, `from` made before `to`.
 *
 * Order is no proof of dependence: that A always comes before B is what a needlessly sequential program looks like
 * as well. Nor is it one that B is never made after A failed (any error ends a sequence of awaited calls) or where
 * A is absent (one condition may guard both). What is left is what the calls are, and how many B's follow an A.
 */
export function independence(model: ProgramModel, paths: CallPaths, from: number, to: number): Independence {
  const byNature = natureOf(paths, from, to);
  if (byNature !== undefined) return byNature;
  const forward = pairRow(model.pairs, from, to);
  const backward = pairRow(model.pairs, to, from);
  const isFree = (row: number): boolean => row >= 0 && model.free[row] === 1;
  if (isFree(forward) || (from !== to && isFree(backward))) return { kind: "independent", because: "overlap" };
  if (from === to) return { kind: "unknown" };
  const { pairs, behaviour } = model;
  const before = forward < 0 ? 0 : pairs.fromFirst[forward]!;
  const after = backward < 0 ? 0 : pairs.fromFirst[backward]!;
  if (before >= 2 && after >= 2) return { kind: "independent", because: "both-orders" };
  // Parents in which `from` did not answer, and how many of these went on to `to` nevertheless.
  const afterFailure = forward < 0 ? 0 : pairs.afterFailure[forward]!;
  const absent = behaviour.parentSpans[from]! - behaviour.parents[from]!;
  const toWithout = behaviour.parents[to]! - before - after;
  const without = absent + behaviour.failedParents[from]!;
  const madeWithout = toWithout + afterFailure;
  if (madeWithout >= 2 && clopperPearsonInterval(madeWithout, Math.max(without, madeWithout), 0.9).low > 0.01) {
    return { kind: "independent", because: "without-it" };
  }
  const varies = behaviour.loops[to]! > 0 && behaviour.fewest[to] !== behaviour.most[to] && behaviour.most[to]! > 2;
  if (varies && behaviour.most[from] === 1 && after === 0) return { kind: "dependent", because: "loop-over-result" };
  return { kind: "unknown" };
}

function natureOf(paths: CallPaths, from: number, to: number): Independence | undefined {
  if (paths.role[to] === SpanRole.database && paths.role[from] === SpanRole.pool) {
    return { kind: "dependent", because: "acquires" };
  }
  return undefined;
}

/**
 * Per call-path node: 1 where its calls are bracketed by BEGIN and COMMIT of the same parent; these share one
 * connection and cannot run together. `text` gives the text of a string id.
 */
export function transactionNodes(paths: CallPaths, text: (id: number) => string): Uint8Array {
  const bracketed = new Set<number>();
  const isBegin = (id: number): boolean => id >= 0 && /(^|[\s:])(begin|start transaction)\b/i.test(text(id));
  for (let node = 0; node < paths.nodeCount; node++) {
    if (paths.role[node] !== SpanRole.database) continue;
    if (isBegin(paths.statement[node]!) || isBegin(paths.operation[node]!)) bracketed.add(paths.parent[node]!);
  }
  return Uint8Array.from({ length: paths.nodeCount }, (_, node) =>
    paths.role[node] === SpanRole.database && bracketed.has(paths.parent[node]!) ? 1 : 0,
  );
}
