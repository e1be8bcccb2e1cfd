import type { LayeredModel } from "../model/layered-model.ts";

/**
 * The most invocations of `targets` (tasks) that can be open at once. Whoever waits for an answer holds a thread of
 * every task on the way up, so this is the greatest flow from the sources to the targets through tasks of limited
 * threads: two callers that a single thread calls in turn never meet below it, however many threads they have.
 * The threads of the targets themselves do not limit it: who waits for one of them is there, too.
 *
 * callers: per task, tasks that call it, and sources by number behind the tasks'.
 */
export function simultaneous(
  { tasks }: LayeredModel,
  callers: readonly (readonly number[])[],
  sourcePopulation: readonly number[],
  targets: readonly number[],
): number {
  const isTarget = new Set(targets);
  const capacity = [
    ...tasks.map(({ threads, replicas }, t) => (isTarget.has(t) ? Infinity : threads * replicas)),
    ...sourcePopulation,
  ];
  return greatestFlow(capacity, callers, targets);
}

/**
 * Augmenting paths, shortest first (Edmonds & Karp). A node is split in two, with its capacity between the halves: node n
 * has its entry at 2n and its exit at 2n + 1. Searched from the targets upwards; sources end a path.
 */
function greatestFlow(
  capacity: readonly number[],
  callers: readonly (readonly number[])[],
  targets: readonly number[],
): number {
  const residual = new Map<number, Map<number, number>>();
  const addEdge = (from: number, to: number, size: number): void => {
    for (const [a, b, c] of [
      [from, to, size],
      [to, from, 0],
    ] as const) {
      let edges = residual.get(a);
      if (edges === undefined) residual.set(a, (edges = new Map()));
      edges.set(b, Math.max(c, edges.get(b) ?? 0));
    }
  };
  const goal = 2 * capacity.length;
  const start = goal + 1;
  capacity.forEach((size, n) => {
    addEdge(2 * n, 2 * n + 1, size);
    if (n >= callers.length) addEdge(2 * n + 1, goal, Infinity);
    else for (const caller of callers[n]!) addEdge(2 * n + 1, 2 * caller, Infinity);
  });
  for (const target of targets) addEdge(start, 2 * target, Infinity);
  let flow = 0;
  for (let path = pathTo(residual, start, goal); path !== undefined; path = pathTo(residual, start, goal)) {
    const room = path.reduce((least, [from, to]) => Math.min(least, residual.get(from)!.get(to)!), Infinity);
    if (!Number.isFinite(room)) return Infinity;
    for (const [from, to] of path) {
      residual.get(from)!.set(to, residual.get(from)!.get(to)! - room);
      residual.get(to)!.set(from, residual.get(to)!.get(from)! + room);
    }
    flow += room;
  }
  return flow;
}

function pathTo(
  residual: ReadonlyMap<number, ReadonlyMap<number, number>>,
  start: number,
  goal: number,
): [number, number][] | undefined {
  const before = new Map<number, number>([[start, start]]);
  const open = [start];
  for (let i = 0; i < open.length && !before.has(goal); i++) {
    for (const [to, room] of residual.get(open[i]!) ?? []) {
      if (room <= 1e-9 || before.has(to)) continue;
      before.set(to, open[i]!);
      open.push(to);
    }
  }
  if (!before.has(goal)) return undefined;
  const path: [number, number][] = [];
  for (let at = goal; at !== start; at = before.get(at)!) path.push([before.get(at)!, at]);
  return path;
}
