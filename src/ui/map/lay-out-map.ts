import { Graph, layout } from "@dagrejs/dagre";
import type { FoldedMap } from "./fold-map.ts";

export const NODE = { width: 124, height: 46 } as const;

export interface MapLayout {
  readonly width: number;
  readonly height: number;
  /** centres, by node */
  readonly at: readonly Point[];
  /** middle of the text on each edge */
  readonly textAt: readonly Point[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Mean width of a letter at the size of the edges' texts. */
const LETTER = 5.6;

/** Callers left, callees right; texts: of each edge, "" for none, which get room of their own. */
export function layOutMap(map: FoldedMap, texts: readonly string[]): MapLayout {
  const graph = new Graph({ multigraph: false });
  graph.setGraph({ rankdir: "LR", nodesep: 22, ranksep: 60, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const i of map.nodes.keys()) graph.setNode(String(i), { width: NODE.width, height: NODE.height });
  for (const [i, edge] of map.edges.entries()) {
    graph.setEdge(String(edge.from), String(edge.to), {
      weight: 1 + Math.min(8, edge.p99Ms / 50),
      width: texts[i]!.length * LETTER,
      height: texts[i] === "" ? 0 : 12,
      labelpos: "c",
    });
  }
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return {
    width: Math.max(NODE.width, width),
    height: Math.max(NODE.height, height),
    at: map.nodes.map((_, i) => {
      const { x, y } = graph.node(String(i)) as { x: number; y: number };
      return { x, y };
    }),
    textAt: map.edges.map((edge) => {
      const { x, y } = graph.edge(String(edge.from), String(edge.to)) as { x?: number; y?: number };
      if (x !== undefined && y !== undefined) return { x, y };
      // Edges without a text have no middle of their own.
      const from = graph.node(String(edge.from)) as Point;
      const to = graph.node(String(edge.to)) as Point;
      return { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
    }),
  };
}
