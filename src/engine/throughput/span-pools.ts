import { findConcurrencyLimit, type ConcurrencyLimit } from "../../analysis/concurrency-limit.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { NS_PER_S } from "../../model/units.ts";
import { oncePerWindow } from "../once-per-window.ts";
import type { Window } from "../window.ts";
import { databaseKey } from "./call-graph.ts";
import { requestLoad } from "./request-load.ts";
import type { ResourceUse } from "./resource-use.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** A pool that spans show: connections of a service towards a database or another service, with the limit that was found. */
export interface SpanPool {
  readonly service: string;
  readonly database: string;
  readonly limit: ConcurrencyLimit;
  readonly use: ResourceUse;
}

/** Uses of the connections of one service towards one database, columns by use. */
interface Connections {
  readonly service: string;
  readonly database: string;
  readonly group: number[];
  readonly startNs: number[];
  readonly endNs: number[];
  readonly waitNs: number[];
}

/** Pools whose size shows in the spans as uses at once that stop growing while waits grow. */
export const spanPools: (window: Window) => SpanPool[] = oncePerWindow((window) => {
  // Of sampled traces only a part of what is in use at once is seen.
  if (window.forest.weight.some((weight) => weight !== 1)) return [];
  const pools = [...usesOfPools(window).values()].map((held) => ({ held, isSocket: false }));
  const sockets = [...socketUses(window).values()].map((held) => ({ held, isSocket: true }));
  return [...pools, ...sockets].flatMap(({ held, isSocket }) => {
    const uses = {
      group: Int32Array.from(held.group),
      startNs: Float64Array.from(held.startNs),
      endNs: Float64Array.from(held.endNs),
      waitNs: Float64Array.from(held.waitNs),
    };
    const limit = findConcurrencyLimit(uses);
    if (limit.kind !== "limit" || (isSocket && !pilesUp(limit))) return [];
    const use = useOfPool(window, held, limit.limit, limit.groups);
    return use === undefined ? [] : [{ service: held.service, database: held.database, limit, use }];
  });
});

/**
 * A call waits not for a connection alone: a callee that is busy takes it up later, the more the more calls are under
 * way. A limit of connections shows in how many calls are under way besides.
 */
const pilesUp = ({ limit, excess, fullShare }: ConcurrencyLimit): boolean =>
  limit === 1 || (excess >= MIN_EXCESS && fullShare >= MIN_FULL_SHARE);
/** Counts that thin out freely stay within the first and end in less of the time than the second: see concurrency-limit.ts. */
const MIN_EXCESS = 1.6;
const MIN_FULL_SHARE = 0.05;

/**
 * With spans of acquisitions a connection is in use from the end of its acquisition to the end of the last statement that
 * follows under the same parent before the next acquisition; without them each statement is a use, and its wait not seen.
 */
function connections(window: Window): Map<string, Connections> {
  const { forest } = window;
  const { facts, startNs, endNs } = forest;
  const acquired = new Map<string, Connections>();
  const bare = new Map<string, Connections>();
  for (const row of forest.rows) {
    const role = facts.role[row];
    if (role === SpanRole.pool) {
      const release = releaseOf(window, row);
      add(window, acquired, row, endNs[row]!, release, endNs[row]! - startNs[row]!);
    } else if (role === SpanRole.database) add(window, bare, row, startNs[row]!, endNs[row]!, Number.NaN);
  }
  return new Map([...bare, ...acquired]);
}

function add(
  window: Window,
  into: Map<string, Connections>,
  row: number,
  startNs: number,
  endNs: number,
  waitNs: number,
  towards: number = window.forest.facts.callee[row]!,
): void {
  const { facts } = window.forest;
  if (towards < 0) return;
  const service = window.text(facts.service[row]!);
  const database = window.text(towards);
  const key = databaseKey(service, database);
  let held = into.get(key);
  if (held === undefined) into.set(key, (held = { service, database, group: [], startNs: [], endNs: [], waitNs: [] }));
  held.group.push(facts.instance[row]!);
  held.startNs.push(startNs);
  held.endNs.push(endNs);
  held.waitNs.push(waitNs);
}

export function releaseOf({ forest }: Window, acquisition: number): number {
  const { facts, parent, childStart, child, startNs, endNs, toleranceNs } = forest;
  const from = endNs[acquisition]!;
  const up = parent[acquisition]!;
  if (up < 0) return from;
  let release = from;
  for (let i = childStart[up]!; i < childStart[up + 1]!; i++) {
    const sibling = child[i]!;
    if (sibling === acquisition || startNs[sibling]! + toleranceNs[sibling]! < from) continue;
    if (facts.role[sibling] === SpanRole.pool) break;
    if (facts.role[sibling] === SpanRole.database) release = Math.max(release, endNs[sibling]!);
  }
  return release;
}

/**
 * Calls of one service to another, by whoever calls: a connection is in use from when the callee begins to the end of the
 * call, and before that the call waits for a connection, or is on its way.
 */
function socketUses(window: Window): Map<string, Connections> {
  const { forest } = window;
  const { facts, childStart, child, startNs, endNs } = forest;
  const found = new Map<string, Connections>();
  for (const row of forest.rows) {
    if (facts.role[row] !== SpanRole.client) continue;
    for (let i = childStart[row]!; i < childStart[row + 1]!; i++) {
      const served = child[i]!;
      if (facts.role[served] !== SpanRole.server || facts.service[served] === facts.service[row]) continue;
      const wait = Math.max(0, startNs[served]! - startNs[row]!);
      add(window, found, row, startNs[row]! + wait, endNs[row]!, wait, facts.service[served]!);
      break;
    }
  }
  return found;
}

/** How a pool of known size was used, by the spans that hold its connections; undefined where spans show none of them. */
export function poolUseBySpans(
  window: Window,
  service: string,
  database: string,
  size: number,
  instances: number,
): ResourceUse | undefined {
  if (window.forest.weight.some((weight) => weight !== 1)) return undefined;
  const held = usesOfPools(window).get(databaseKey(service, database));
  return held === undefined ? undefined : useOfPool(window, held, size, instances);
}

const usesOfPools = oncePerWindow(connections);

const BIN_NS = 2 * NS_PER_S;

function useOfPool(window: Window, held: Connections, size: number, instances: number): ResourceUse | undefined {
  const { fromNs, toNs } = requestLoad(window);
  // At least eight windows, whatever the length of the recording.
  const widthNs = Math.min(BIN_NS, (toNs - fromNs) / 10);
  const bins = Math.floor((toNs - fromNs) / widthNs);
  if (!(widthNs > 0) || bins < 1) return undefined;
  const busy = new Float64Array(bins);
  held.startNs.forEach((start, i) => {
    const end = held.endNs[i]!;
    for (
      let bin = Math.max(0, Math.floor((start - fromNs) / widthNs));
      bin < bins && fromNs + bin * widthNs < end;
      bin++
    ) {
      const from = fromNs + bin * widthNs;
      busy[bin]! += Math.max(0, Math.min(end, from + widthNs) - Math.max(start, from)) / widthNs;
    }
  });
  const total = size * instances;
  const shares = busy.map((b) => b / total);
  return {
    service: held.service,
    resource: `pool:${held.database}`,
    source: "spans",
    isEventLoop: false,
    instances,
    capacityEach: size,
    isCapacityKnown: true,
    utilisation: shares.reduce((a, b) => a + b, 0) / bins,
    worstUtilisation: shares.reduce((a, b) => Math.max(a, b), 0),
    shareAboveLine: shares.filter((share) => share > 0.8).length / bins,
    startNs: mapToFloats({ length: bins }, (_, bin) => fromNs + bin * widthNs),
    widthNs,
    busy,
    measured: shares,
  };
}
