import { SpanRole } from "../../model/span-facts.ts";
import { spanRows, type Case } from "../case.ts";
import { oncePerWindow } from "../once-per-window.ts";
import { nodesOfService, siblingNodes } from "../path-index.ts";
import type { Window } from "../window.ts";

/** Share of the busy time at the highest count from which on it is a limit: without one, counts thin out towards it. */
const MIN_AT_LIMIT = 0.02;
/** And in relation to the count below it: a count that thins out freely falls faster towards its end. */
const MIN_RATIO_AT_LIMIT = 0.15;
/** Share of the busy time that is taken for noise of clocks. */
const NOISE = 0.0005;

/**
 * A pool without spans of its own: the calls of a service to one database never
 * exceed a number per instance, although they are at it a good part of the time
 * and requests pile up before them. The wait for a connection is then inside
 * the caller's own time.
 *
 * node: a call path of the service whose own time grows. Undefined when none of
 * its calls to a database or another service has such a plateau.
 */
export function pooledCallee({ window }: Case, node: number): PooledCallee | undefined {
  const service = window.paths.service[node]!;
  const known = pooledByService(window);
  // One answer for all operations of the service; undefined is one, too.
  if (!known.has(service)) known.set(service, findPooledCallee(window, service));
  return known.get(service);
}

export interface PooledCallee {
  readonly callee: string;
  readonly size: number;
}

const pooledByService = oncePerWindow((): Map<number, PooledCallee | undefined> => new Map());

function findPooledCallee(window: Window, service: number): PooledCallee | undefined {
  const { paths, facts, forest, text } = window;
  const byCallee = new Map<number, Map<number, { at: number; step: number }[]>>();
  for (const other of nodesOfService(window, service)) {
    if (paths.role[other] !== SpanRole.database || paths.callee[other]! < 0) continue;
    if (siblingPool(window, other)) return undefined;
    for (const row of spanRows(window, other)) {
      const byInstance = getOrAdd(
        byCallee,
        paths.callee[other]!,
        () => new Map<number, { at: number; step: number }[]>(),
      );
      const events = getOrAdd(byInstance, facts.instance[row]!, () => []);
      events.push({ at: forest.startNs[row]!, step: 1 }, { at: forest.endNs[row]!, step: -1 });
    }
  }
  for (const [callee, byInstance] of byCallee) {
    const size = plateau([...byInstance.values()]);
    if (size !== undefined) return { callee: text(callee), size };
  }
  return undefined;
}

/** Whether acquisitions of a pool stand beside the calls of a node: then the wait is seen where it is. */
function siblingPool(window: Window, node: number): boolean {
  return siblingNodes(window, node).some((other) => window.paths.role[other] === SpanRole.pool);
}

function plateau(instances: { at: number; step: number }[][]): number | undefined {
  const timeAt = new Map<number, number>();
  let busy = 0;
  for (const events of instances) {
    events.sort((a, b) => a.at - b.at || a.step - b.step);
    let inUse = 0;
    let last = 0;
    for (const event of events) {
      if (inUse > 0) {
        timeAt.set(inUse, (timeAt.get(inUse) ?? 0) + event.at - last);
        busy += event.at - last;
      }
      inUse += event.step;
      last = event.at;
    }
  }
  const highest = [...timeAt].reduce((most, [use, time]) => (time > NOISE * busy ? Math.max(most, use) : most), 0);
  const atLimit = timeAt.get(highest) ?? 0;
  const isLimit = atLimit >= MIN_AT_LIMIT * busy && atLimit >= MIN_RATIO_AT_LIMIT * (timeAt.get(highest - 1) ?? 0);
  return highest >= 2 && isLimit ? highest : undefined;
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let held = map.get(key);
  if (held === undefined) map.set(key, (held = make()));
  return held;
}
