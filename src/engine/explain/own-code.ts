import { quantileOfAscending } from "../../analysis/weighted-quantile.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { ms, percent } from "../wording.ts";
import { mapToFloats } from "../../model/map-column.ts";

/**
 * The fallback for time inside a service that nothing else explains: its own code,
 * or something traces cannot see (CPU, locks, garbage collection). By itself no
 * reason to act, since every program spends time somewhere: a note.
 */
export function explainOwnCode(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.timeKind !== "unexplained") return undefined;
  const { window, view, ownNs } = theCase;
  const rows = spanRows(window, spot.node).filter((row) => ownNs[row]! > 0);
  if (rows.length === 0) return undefined;
  const ascending = mapToFloats(rows, (row) => ownNs[row]!).sort();
  const share = spot.slowNs / Math.max(1, view.p99);
  return {
    mechanism: "slow-code",
    kind: "code",
    subject: { service: spot.service, operation: spot.operation },
    title: `${spot.service} spends ${ms(spot.slowNs)} of a slow ${view.operation} in its own ${spot.operation === view.operation ? "code" : spot.operation}`,
    why: `Own time, outside of all traced calls: median ${ms(quantileOfAscending(ascending, 0.5))}, p99 ${ms(quantileOfAscending(ascending, 0.99))}; ${percent(share)} of the p99, ${percent(spot.typicalNs / Math.max(1, view.p50))} of the median.`,
    confidence: 0.3,
    harmful: false,
    nodes: [spot.node],
    undo: [
      {
        kind: "change",
        change: { kind: "time", service: spot.service, operation: spot.operation, factor: 0.5 },
        nodes: [spot.node],
      },
    ],
    whatIf: `service=${spot.service},operation=${spot.operation},time=0.5`,
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${spot.service} ${spot.operation}: ${ms(spot.slowNs)} of its own`, evidence: [0] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests with most of it: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `own time of ${spot.service} ${spot.operation} on the critical path`,
      },
    ],
    counter: [
      "traces do not show what the time was spent on: code, garbage collection, a lock or a busy CPU look alike",
    ],
    refutedBy:
      "a CPU profile of the service during these requests that shows it idle: then it waits for something that is not traced",
    remedy: {
      text: `Profile ${spot.service} while it serves ${spot.operation}. The prediction is for half of this time.`,
    },
  };
}
