import type { SegmentTable } from "../model/segments.ts";
import { traceIdHex } from "../model/span-table.ts";
import type { EndpointView } from "./endpoint-view.ts";
import { rowsOf } from "./rows-by-node.ts";
import type { Window } from "./window.ts";
import { mapToFloats } from "../model/map-column.ts";

/** What every explanation may look at: a window, the endpoint in question, and columns derived once. */
export interface Case {
  readonly window: Window;
  readonly view: EndpointView;
  /** per span row: its own nanoseconds on the critical path of its trace */
  readonly ownNs: Float64Array;
}

/** Own time on the critical path per span row. */
export function ownTime(segments: SegmentTable, rowCount: number): Float64Array {
  const own = new Float64Array(rowCount);
  for (let i = 0; i < segments.row.length; i++) own[segments.row[i]!]! += segments.endNs[i]! - segments.startNs[i]!;
  return own;
}

export const spanRows = (window: Window, node: number): Int32Array => rowsOf(window.rows, node);

export const spanDuration = (window: Window, row: number): number =>
  window.forest.endNs[row]! - window.forest.startNs[row]!;

/** Durations of the spans of a node, in the order of its rows. */
export function durationsOf(window: Window, node: number): Float64Array {
  return mapToFloats(spanRows(window, node), (row) => spanDuration(window, row));
}

/** Ids of traces worth opening: those of the slow ones in which `node` takes the most of its own time. */
export function exampleTraces(theCase: Case, nodes: readonly number[], howMany = 3): string[] {
  const { window, view, ownNs } = theCase;
  const { forest, paths } = window;
  const wanted = new Set(nodes);
  const held = Array.from(view.slow, (trace) => {
    let ns = 0;
    for (let i = forest.traceStart[trace]!; i < forest.traceStart[trace + 1]!; i++) {
      const row = forest.rows[i]!;
      if (wanted.has(paths.nodeOfRow[row]!)) ns += ownNs[row]!;
    }
    return { trace, ns };
  });
  return held
    .filter((entry) => entry.ns > 0)
    .sort((a, b) => b.ns - a.ns || a.trace - b.trace)
    .slice(0, howMany)
    .map((entry) => traceIdHex(window.spans, forest.root[entry.trace]!));
}
