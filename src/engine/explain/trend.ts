import { ascendingOrder } from "../../analysis/ascending-order.ts";
import { rankCorrelation } from "../../analysis/rank-correlation.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { medianOf } from "../sibling-calls.ts";
import { ms, times } from "../wording.ts";
import { statementShape } from "../../analysis/statement.ts";
import { mapToFloats } from "../../model/map-column.ts";

const PARTS = 10;
const MIN_ROWS = 200;

/**
 * A statement that takes longer and longer through the window, part after part:
 * what it reads is growing. A single step is left to change points, and a wave
 * to the load.
 */
export function explainGrowth(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.role !== SpanRole.database || spot.timeKind !== "callee") return undefined;
  const { window, view, ownNs } = theCase;
  const some = spanRows(window, spot.node).filter((row) => ownNs[row]! > 0);
  if (some.length < MIN_ROWS) return undefined;
  const rows = ascendingOrder(mapToFloats(some, (row) => window.forest.startNs[row]!)).map((i) => some[i]!);
  const part = Math.floor(rows.length / PARTS);
  const medians = Array.from({ length: PARTS }, (_, i) =>
    medianOf(mapToFloats(rows.subarray(i * part, (i + 1) * part), (row) => ownNs[row]!)),
  );
  const trend = rankCorrelation(
    mapToFloats(medians, (_, i) => i),
    Float64Array.from(medians),
  );
  const first = (medians[0]! + medians[1]!) / 2;
  const last = (medians[PARTS - 2]! + medians[PARTS - 1]!) / 2;
  // Nine of ten parts in order (rho >= 0.9 of 10 has a chance of 1 in 2,000), and not one jump that makes up the most of it.
  const largestStep = medians.slice(1).reduce((most, m, i) => Math.max(most, m - medians[i]!), 0);
  if (trend < 0.9 || last < 1.5 * first || largestStep > 0.6 * (last - first)) return undefined;
  const database = spot.callee === "" ? "the database" : spot.callee;
  const table = statementShape(spot.statement).table;
  const what = table === "" ? spot.operation : table;
  const harmful = ((last - first) / Math.max(1, last)) * Math.max(spot.slowNs, spot.typicalNs) >= 0.1 * view.p50;
  return {
    mechanism: "data-growth",
    kind: "growth",
    subject: {
      service: database,
      operation: spot.operation,
      ...(spot.statement === "" ? {} : { statement: spot.statement }),
      ...(table === "" ? {} : { resource: `table:${table}` }),
    },
    title: `${what} grows: the same statement takes ${ms(first)} at the beginning and ${ms(last)} at the end of the window`,
    why: `The medians of ${PARTS} equal parts of the window rise from ${ms(medians[0]!)} to ${ms(medians[PARTS - 1]!)} (rank correlation ${trend.toFixed(2)}): ${times(last / Math.max(1, first))} and still rising. A statement that reads by an index would not follow the size of the table.`,
    confidence: harmful ? 0.85 : 0.3,
    harmful,
    nodes: [spot.node],
    undo: [
      {
        kind: "own-time",
        rows,
        ownNs: mapToFloats(
          rows,
          (row, i) =>
            ownNs[row]! *
            Math.min(1, first / Math.max(1, medians[Math.min(PARTS - 1, Math.floor(i / Math.max(1, part)))]!)),
        ),
      },
    ],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${spot.service} waits ${ms(spot.slowNs)} of it for ${database}`, evidence: [0] },
      { claim: `and longer the more ${what} holds`, evidence: [1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests with this statement: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `spans named "${spot.operation}" of ${spot.service}`,
      },
      {
        kind: "series",
        text: `medians in ms over the window: ${medians.map((m) => (m / 1e6).toPrecision(3)).join(", ")}`,
        query: `median duration of "${spot.operation}" by tenth of the window`,
      },
    ],
    counter: ["a load that rises through the window would look alike if this statement alone felt it"],
    refutedBy: "a constant number of rows in the table through the window",
    remedy: {
      text: `Let it read by an index, or a bounded part of ${what}; archive what is not needed. EXPLAIN shows whether it scans.`,
    },
  };
}
