import { oncePerWindow } from "./once-per-window.ts";
import type { Window } from "./window.ts";

/** The nodes of the call paths by parent and by service: walks that would else go over all of them, spot by spot. */
interface PathIndex {
  /** children of node n, ascending: `child[childStart[n] .. childStart[n + 1]]` */
  readonly childStart: Int32Array;
  readonly child: Int32Array;
  /** per string id of a service: its nodes, ascending */
  readonly ofService: ReadonlyMap<number, readonly number[]>;
}

const indexOf = oncePerWindow(({ paths }): PathIndex => {
  const { nodeCount, parent } = paths;
  const childStart = new Int32Array(nodeCount + 1);
  for (let node = 0; node < nodeCount; node++) if (parent[node]! >= 0) childStart[parent[node]! + 1]!++;
  for (let node = 0; node < nodeCount; node++) childStart[node + 1]! += childStart[node]!;
  const next = childStart.slice(0, nodeCount);
  const child = new Int32Array(childStart[nodeCount]!);
  const ofService = new Map<number, number[]>();
  for (let node = 0; node < nodeCount; node++) {
    if (parent[node]! >= 0) child[next[parent[node]!]!++] = node;
    const held = ofService.get(paths.service[node]!);
    if (held === undefined) ofService.set(paths.service[node]!, [node]);
    else held.push(node);
  }
  return { childStart, child, ofService };
});

/** Call paths right below `node`, ascending. */
export function childNodes(window: Window, node: number): Int32Array {
  const { childStart, child } = indexOf(window);
  return child.subarray(childStart[node]!, childStart[node + 1]!);
}

/** The service whose spans lie right below a call; undefined where the one called sends none. */
export function answeringService(window: Window, node: number): string | undefined {
  const { service } = window.paths;
  const below = childNodes(window, node).find((child) => service[child] !== service[node]);
  return below === undefined ? undefined : window.text(service[below]!);
}

/** The call paths beside `node`, itself among them, ascending; an endpoint stands alone. */
export function siblingNodes(window: Window, node: number): Int32Array {
  const up = window.paths.parent[node]!;
  return up < 0 ? Int32Array.of(node) : childNodes(window, up);
}

/** Call paths of a service (string id), ascending. */
export const nodesOfService = (window: Window, service: number): readonly number[] =>
  indexOf(window).ofService.get(service) ?? [];

/** A node and all below it; parents before children. */
export function subtree(window: Window, root: number): number[] {
  const nodes = [root];
  for (let i = 0; i < nodes.length; i++) for (const node of childNodes(window, nodes[i]!)) nodes.push(node);
  return nodes;
}
