import { SpanRole } from "../model/span-facts.ts";
import { spanRows } from "./case.ts";
import { oncePerWindow } from "./once-per-window.ts";
import type { Window } from "./window.ts";
import { mapToFloats, mapToInts } from "../model/map-column.ts";

/**
 * The two ways of calls into a service that sends spans: there (CLIENT start to SERVER start) and back (SERVER end to
 * CLIENT end). On the way there a call waits for the callee to take it up, on the way back for the caller to take up
 * the answer; the network is in both. Single legs are negative by up to what clocks differ: their sum is not.
 */
export interface Legs {
  /** CLIENT rows, and the SERVER row below each */
  readonly client: Int32Array;
  readonly server: Int32Array;
  readonly requestNs: Float64Array;
  readonly responseNs: Float64Array;
}

/** SERVER span of another service below a call; -1 where the callee sends none. */
export function serverOf({ forest, facts }: Window, row: number): number {
  for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++) {
    const child = forest.child[i]!;
    if (facts.role[child] === SpanRole.server || facts.service[child] !== facts.service[row]) return child;
  }
  return -1;
}

/** Legs of those of the rows that have a SERVER span. */
export function legsOf(window: Window, rows: ArrayLike<number>): Legs {
  const { startNs, endNs } = window.forest;
  const servers = mapToInts(rows, (row) => serverOf(window, row));
  const client = mapToInts(rows, (row) => row).filter((_, i) => servers[i]! >= 0);
  const server = servers.filter((row) => row >= 0);
  return {
    client,
    server,
    requestNs: mapToFloats(client, (row, i) => startNs[server[i]!]! - startNs[row]!),
    responseNs: mapToFloats(client, (row, i) => endNs[row]! - endNs[server[i]!]!),
  };
}

export interface EdgeLegs extends Legs {
  readonly caller: number;
  readonly callee: number;
}

/** Legs by (caller, callee) service ids, over all endpoints and call paths. */
export const legsByEdge: (window: Window) => ReadonlyMap<string, EdgeLegs> = oncePerWindow((window) => {
  const { paths, facts } = window;
  const rows = new Map<string, number[]>();
  for (let node = 0; node < paths.nodeCount; node++) {
    if (paths.role[node] !== SpanRole.client) continue;
    for (const row of spanRows(window, node)) {
      const server = serverOf(window, row);
      if (server < 0) continue;
      const key = edgeKey(paths.service[node]!, facts.service[server]!);
      const held = rows.get(key);
      if (held === undefined) rows.set(key, [row]);
      else held.push(row);
    }
  }
  return new Map(
    [...rows].map(([key, list]) => {
      const legs = legsOf(window, list);
      return [key, { ...legs, caller: facts.service[legs.client[0]!]!, callee: facts.service[legs.server[0]!]! }];
    }),
  );
});

export const edgeKey = (caller: number, callee: number): string => `${caller}>${callee}`;
