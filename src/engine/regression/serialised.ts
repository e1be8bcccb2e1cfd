import { benjaminiHochberg } from "../../analysis/false-discovery.ts";
import { fisherExact } from "../../analysis/hypothesis-tests.ts";
import { percent } from "../wording.ts";
import {
  exampleTracesOf,
  nodesOf,
  rowsByView,
  symptom,
  tracesEvidence,
  type Comparison,
  type RegressionClaim,
} from "./affected.ts";
import { isCall } from "./attribution.ts";
import type { Operation, SliceRows } from "./operations.ts";
import { mapToFloats } from "../../model/map-column.ts";

const Q = 0.01;
/** Calls ran together in at least this share of the spans before, and in at most a fifth of that now. */
const TOGETHER_BEFORE = 0.5;
const TOGETHER_NOW = 0.2;

/** Operations whose calls used to overlap and now wait for each other. */
export function claimSerialised(comparison: Comparison): RegressionClaim[] {
  const { list, now, before } = comparison.operations;
  const tested = list
    .map((operation) => ({
      operation,
      now: overlaps(comparison, now, operation.id),
      before: overlaps(comparison, before, operation.id),
    }))
    .filter((entry) => entry.now.apart + entry.now.together > 0 && entry.before.apart + entry.before.together > 0);
  const qValues = benjaminiHochberg(
    mapToFloats(tested, (entry) =>
      fisherExact(entry.now.together, entry.now.apart, entry.before.together, entry.before.apart, "less"),
    ),
  );
  return tested.flatMap((entry, i) => {
    const shareBefore = shareOf(entry.before);
    const shareNow = shareOf(entry.now);
    if (qValues[i]! > Q || shareBefore < TOGETHER_BEFORE || shareNow > TOGETHER_NOW * shareBefore) return [];
    return claimOf(comparison, entry.operation, shareBefore, shareNow, qValues[i]!);
  });
}

const shareOf = ({ together, apart }: { together: number; apart: number }): number => together / (together + apart);

/** Spans with two calls or more: in how many do any two of them run at the same time? */
function overlaps({ operations }: Comparison, side: SliceRows, id: number): { together: number; apart: number } {
  const { forest } = side.slice.window;
  let together = 0;
  let apart = 0;
  for (const row of side.rows[id]!) {
    let calls = 0;
    let reached = Number.NEGATIVE_INFINITY;
    let overlap = false;
    for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++) {
      const other = forest.child[i]!;
      const called = side.operation[other]!;
      if (called < 0 || !isCall(operations.list[called]!.role)) continue;
      if (calls++ > 0 && forest.startNs[other]! + forest.toleranceNs[other]! < reached) overlap = true;
      reached = Math.max(reached, forest.endNs[other]!);
    }
    if (calls < 2) continue;
    if (overlap) together++;
    else apart++;
  }
  return { together, apart };
}

function claimOf(
  comparison: Comparison,
  operation: Operation,
  shareBefore: number,
  shareNow: number,
  qValue: number,
): RegressionClaim[] {
  const { service, operation: name } = operation;
  return [...rowsByView(comparison, comparison.operations.now.rows[operation.id]!)].map(
    ([index, rows]): RegressionClaim => {
      const view = comparison.views[index]!;
      return {
        view,
        explanation: {
          mechanism: "sequential-calls",
          kind: "regression",
          subject: { service, operation: name },
          title: `${service} makes the calls of ${name} one after another; before, they ran together`,
          why: `Calls of one ${name} overlapped in ${percent(shareBefore)} of its spans before, in ${percent(shareNow)} now.`,
          confidence: 0.9,
          harmful: true,
          nodes: nodesOf(comparison, rows),
          undo: [
            {
              kind: "change",
              change: { kind: "parallel", service, operation: name },
              nodes: nodesOf(comparison, rows),
            },
          ],
          whatIf: `service=${service},operation=${name},parallel`,
          chain: [symptom(view), { claim: `the calls of ${name} no longer overlap`, evidence: [0, 1] }],
          evidence: [
            tracesEvidence(
              "requests with the calls in a row",
              exampleTracesOf(comparison, () => 1, rows),
              `calls below "${name}" of ${service}`,
            ),
            {
              kind: "statistic",
              text: `overlapping calls in ${percent(shareBefore)} -> ${percent(shareNow)} of the spans, q = ${qValue.toExponential(1)}`,
              query: `overlap of the calls of "${name}" of ${service}, both windows (Fisher)`,
            },
          ],
          counter: [],
          refutedBy: "one of the calls needs the answer of the one before since the last change",
          remedy: { text: `Start the calls of ${name} together again and wait for all of them.` },
        },
      };
    },
  );
}
