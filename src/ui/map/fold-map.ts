import type { MapEdge, MapNode, ServiceMap } from "../../model/page.ts";

export interface FoldedNode extends MapNode {
  /** names within a group; one name for a service of its own */
  readonly members: readonly string[];
}

export interface FoldedMap {
  readonly nodes: readonly FoldedNode[];
  readonly edges: readonly MapEdge[];
}

/**
 * The `limit` services with the most time and those without a caller, the others folded into one group per caller that
 * is shown. Times add up; nothing is left out. Groups of one stay what they are.
 */
export function foldMap(map: ServiceMap, limit: number): FoldedMap {
  const order = map.nodes.map((_, i) => i).toSorted((a, b) => map.nodes[b]!.p99Ms - map.nodes[a]!.p99Ms || a - b);
  const called = new Set(map.edges.map((edge) => edge.to));
  const kept = new Set([...map.nodes.keys()].filter((i) => !called.has(i)));
  for (const i of order) if (kept.size < limit) kept.add(i);
  const groupOf = new Map<number, string>();
  for (const i of map.nodes.keys()) if (!kept.has(i)) groupOf.set(i, groupKey(map, kept, i));
  const nodes: FoldedNode[] = [];
  const placeOf = new Map<string, number>();
  const place = new Map<number, number>();
  for (const [i, node] of map.nodes.entries()) {
    const key = groupOf.get(i) ?? `node ${i}`;
    const at = placeOf.get(key);
    if (at === undefined) {
      placeOf.set(key, nodes.length);
      place.set(i, nodes.push({ ...node, members: [node.name] }) - 1);
    } else {
      place.set(i, at);
      nodes[at] = joined(nodes[at]!, node);
    }
  }
  return { nodes, edges: foldEdges(map.edges, place) };
}

/** The nearest caller that is shown, breadth first. */
function groupKey(map: ServiceMap, kept: ReadonlySet<number>, node: number): string {
  const seen = new Set([node]);
  let callers = [node];
  while (callers.length > 0) {
    const next: number[] = [];
    for (const at of callers) {
      for (const edge of map.edges) {
        if (edge.to !== at || seen.has(edge.from)) continue;
        if (kept.has(edge.from)) return `group ${edge.from}`;
        seen.add(edge.from);
        next.push(edge.from);
      }
    }
    callers = next;
  }
  return "group";
}

function joined(group: FoldedNode, node: MapNode): FoldedNode {
  const members = [...group.members, node.name];
  const utilisation = Math.max(group.utilisation ?? -1, node.utilisation ?? -1);
  return {
    name: `${members.length} others`,
    kind: "service",
    p99Ms: group.p99Ms + node.p99Ms,
    p50Ms: group.p50Ms + node.p50Ms,
    members,
    ...(utilisation < 0 ? {} : { utilisation }),
  };
}

function foldEdges(edges: readonly MapEdge[], place: ReadonlyMap<number, number>): MapEdge[] {
  const folded = new Map<string, MapEdge>();
  for (const edge of edges) {
    const from = place.get(edge.from)!;
    const to = place.get(edge.to)!;
    if (from === to) continue;
    const key = `${from} ${to}`;
    const held = folded.get(key) ?? { from, to, calls: 0, p99Ms: 0, waitMs: 0, transitMs: 0 };
    folded.set(key, {
      from,
      to,
      calls: held.calls + edge.calls,
      p99Ms: held.p99Ms + edge.p99Ms,
      waitMs: held.waitMs + edge.waitMs,
      transitMs: held.transitMs + edge.transitMs,
    });
  }
  return [...folded.values()];
}
