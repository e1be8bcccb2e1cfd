import { ownTime } from "../case.ts";
import type { EndpointView } from "../endpoint-view.ts";
import type { ChainLink, Evidence } from "../../model/report.ts";
import { traceIdHex } from "../../model/span-table.ts";
import { ms } from "../wording.ts";
import type { Explanation, Undo } from "../hot-spot.ts";
import type { Claim } from "../findings.ts";
import type { Operations } from "./operations.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** An explanation of a change, with harm that is not latency: requests that fail or get only a part of their answer. */
export interface RegressionExplanation extends Explanation {
  /** share of the endpoint's requests that suffer it beyond what was usual, 0 .. 1 */
  readonly loss?: number;
}

export interface RegressionClaim extends Claim {
  readonly explanation: RegressionExplanation;
}

/** What all explanations of a comparison look at. */
export interface Comparison {
  readonly operations: Operations;
  readonly views: readonly EndpointView[];
  /** per trace of the window now: place in `views`, -1 for none */
  readonly viewOfTrace: Int32Array;
  /** per span row now: its own time on the critical path */
  readonly ownNs: Float64Array;
}

export function comparison(operations: Operations, views: readonly EndpointView[]): Comparison {
  const { window } = operations.now.slice;
  const viewOfTrace = new Int32Array(window.forest.traceCount).fill(-1);
  views.forEach((view, i) => {
    for (const trace of view.endpoint.traces) viewOfTrace[trace] = i;
  });
  return { operations, views, viewOfTrace, ownNs: ownTime(window.segments, window.spans.rowCount) };
}

/** Rows of the window now by the endpoint that they belong to; rows of other endpoints are left out. */
export function rowsByView({ operations, viewOfTrace }: Comparison, rows: Iterable<number>): Map<number, number[]> {
  const { forest } = operations.now.slice.window;
  const byView = new Map<number, number[]>();
  for (const row of rows) {
    const view = viewOfTrace[forest.trace[row]!]!;
    if (view < 0) continue;
    const held = byView.get(view);
    if (held === undefined) byView.set(view, [row]);
    else held.push(row);
  }
  return byView;
}

/** Own time of rows shrunk by the factor by which their self time would be shorter; rows off the critical path are left out. */
export function shrunkOwnTime(ownNs: Float64Array, rows: readonly number[], factorOf: (row: number) => number): Undo {
  const onPath = rows.filter((row) => ownNs[row]! > 0);
  return {
    kind: "own-time",
    rows: Int32Array.from(onPath),
    ownNs: mapToFloats(onPath, (row) => ownNs[row]! * factorOf(row)),
  };
}

/** Ids of the traces in which these rows take most of their own time. */
export function exampleTracesOf(
  { operations }: Comparison,
  weightOf: (row: number) => number,
  rows: readonly number[],
  howMany = 3,
): string[] {
  const { window } = operations.now.slice;
  const byTrace = new Map<number, number>();
  for (const row of rows) {
    const trace = window.forest.trace[row]!;
    byTrace.set(trace, (byTrace.get(trace) ?? 0) + weightOf(row));
  }
  return [...byTrace]
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, howMany)
    .map(([trace]) => traceIdHex(window.spans, window.forest.root[trace]!));
}

/** Call-path nodes of these rows. */
export function nodesOf({ operations }: Comparison, rows: readonly number[]): number[] {
  const { nodeOfRow } = operations.now.slice.window.paths;
  return [...new Set(rows.map((row) => nodeOfRow[row]!))];
}

export const symptom = (view: EndpointView): ChainLink => ({
  claim: `${view.name}: p99 ${ms(view.p99)}`,
  evidence: [],
});

export const tracesEvidence = (what: string, ids: readonly string[], query: string): Evidence => ({
  kind: "trace",
  text: `${what}: ${ids.join(", ")}`,
  query,
});

/** Confidence in a change by its factor: half at a factor of two, which two days of one healthy system may differ by. */
export function confidenceOfFactor(factor: number): number {
  const octaves = Math.log2(Math.min(factor, 1e6));
  return (octaves * octaves) / (1 + octaves * octaves);
}
