import { blameKey, KIND_COUNT, nodeOfKey } from "../analysis/blame.ts";
import { SpanRole } from "../model/span-facts.ts";
import { timeKindId } from "../model/time-kind.ts";
import { hotSpot, type HotSpot } from "./hot-spot.ts";
import type { EndpointView } from "./endpoint-view.ts";
import type { Window } from "./window.ts";

/** Smallest share of the endpoint's time, with all that is below it, for which a call is looked at. */
const MIN_SHARE = 0.05;

/**
 * Calls (to services, databases, pools) of an endpoint with the time of everything
 * below them: what is wrong with *making* a call (too often, again, in vain)
 * shows in time that is spent by others.
 */
export function callSpots(window: Window, view: EndpointView): HotSpot[] {
  const inclusive = inclusiveTimes(window, view);
  const spots: HotSpot[] = [];
  const { paths } = window;
  for (const [node, times] of inclusive) {
    const role = paths.role[node];
    if (role !== SpanRole.client && role !== SpanRole.database && role !== SpanRole.pool) continue;
    const isHot = times.slowNs >= MIN_SHARE * view.p99 || times.typicalNs >= MIN_SHARE * view.p50;
    if (!isHot) continue;
    const kind = role === SpanRole.pool ? "pool-wait" : "callee";
    spots.push(hotSpot(window, view, blameKey(node, timeKindId(kind)), times));
  }
  return spots.sort((a, b) => b.slowNs - a.slowNs || a.node - b.node);
}

export interface InclusiveTimes {
  readonly typicalNs: number;
  readonly slowNs: number;
  readonly meanNs: number;
}

/** Critical-path time of each call path of the endpoint with all paths below it. */
export function inclusiveTimes(window: Window, view: EndpointView): Map<number, InclusiveTimes> {
  const { paths } = window;
  const nodes = new Set<number>();
  for (const blame of [view.blameTypical, view.blameSlow, view.blameMean]) {
    for (const key of blame.keys())
      for (let node = nodeOfKey(key); node >= 0 && !nodes.has(node); node = paths.parent[node]!) nodes.add(node);
  }
  const ownOf = (blame: ReadonlyMap<number, number>, node: number): number => {
    let sum = 0;
    for (let kind = 0; kind < KIND_COUNT; kind++) sum += blame.get(node * KIND_COUNT + kind) ?? 0;
    return sum;
  };
  const times = new Map<number, { typicalNs: number; slowNs: number; meanNs: number }>();
  for (const node of nodes) {
    times.set(node, {
      typicalNs: ownOf(view.blameTypical, node),
      slowNs: ownOf(view.blameSlow, node),
      meanNs: ownOf(view.blameMean, node),
    });
  }
  // Parents stand before their children: sums flow up in one pass from the last to the first.
  for (const node of [...nodes].sort((a, b) => b - a)) {
    const up = times.get(paths.parent[node]!);
    if (up === undefined) continue;
    const here = times.get(node)!;
    up.typicalNs += here.typicalNs;
    up.slowNs += here.slowNs;
    up.meanNs += here.meanNs;
  }
  return times;
}
