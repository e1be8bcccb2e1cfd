import { exampleTraces, spanRows, type Case } from "../case.ts";
import { workOf } from "../congestion.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { medianOf } from "../sibling-calls.ts";
import { ms, percent, times } from "../wording.ts";
import { mapToFloats } from "../../model/map-column.ts";

const MIN_ERRORS = 10;

/** Failing requests take much longer in this code than those that succeed: the way an error is handled costs the time. */
export function explainErrorHandling(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.timeKind !== "unexplained") return undefined;
  const { window, view, ownNs } = theCase;
  const { facts, forest } = window;
  const rows = spanRows(window, spot.node).filter((row) => ownNs[row]! > 0);
  const isFailed = (row: number): boolean => facts.error[row] === 1 || hasFailedCall(theCase, row);
  const failed = rows.filter(isFailed);
  const passed = rows.filter((row) => !isFailed(row));
  if (failed.length < MIN_ERRORS || passed.length < MIN_ERRORS) return undefined;
  // What each needs by itself: behind slow failures the others wait.
  const failedNs = medianOf(workOf(window, ownNs, spot.node, failed));
  const passedWork = workOf(window, ownNs, spot.node, passed);
  const passedNs = medianOf(passedWork);
  if (failedNs < 3 * passedNs || failedNs - passedNs < 1e6) return undefined;
  const slow = new Set(view.slow);
  const inSlow =
    new Set(Array.from(failed, (row) => forest.trace[row]!).filter((trace) => slow.has(trace))).size /
    Math.max(1, view.slow.length);
  const share = failed.length / rows.length;
  const harmful = inSlow >= 0.3 && failedNs - passedNs >= 0.05 * view.p99;
  return {
    mechanism: "error-handling",
    kind: "latency",
    subject: { service: spot.service, operation: spot.operation },
    title: `errors in ${spot.operation} of ${spot.service} cost ${ms(failedNs - passedNs)}: ${times(failedNs / Math.max(1, passedNs))} the time of a success`,
    why: `${percent(share)} of the requests fail, or a call of theirs does, with ${ms(failedNs)} of own time (median) against ${ms(passedNs)}; they are ${percent(inSlow)} of the slow requests.`,
    confidence: harmful ? 0.93 : 0.35,
    harmful,
    nodes: [spot.node],
    undo: [
      { kind: "own-time", rows: failed, ownNs: mapToFloats(failed, (row) => Math.min(ownNs[row]!, passedNs)) },
      { kind: "own-time", rows: passed, ownNs: passedWork },
    ],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${percent(inSlow)} of the slow requests failed in ${spot.service} ${spot.operation}`, evidence: [0] },
      { claim: `failing takes ${ms(failedNs)}, succeeding ${ms(passedNs)}`, evidence: [1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests that failed: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `"${spot.operation}" of ${spot.service} with error status`,
      },
      {
        kind: "statistic",
        text: `${failed.length} failed with ${ms(failedNs)} (median), ${passed.length} passed with ${ms(passedNs)}`,
        query: `own time of "${spot.operation}" by status`,
      },
    ],
    counter: ["whether it fails because it is slow or is slow because it fails does not show in spans"],
    refutedBy: "the same requests that are as slow when they succeed",
    remedy: {
      text: `See what ${spot.service} does when ${spot.operation} fails: stack traces, logging, clean-up, a fallback that waits.`,
    },
  };
}

/** Whether a call that the span made itself ended in an error. */
function hasFailedCall(theCase: Case, row: number): boolean {
  const { forest, facts } = theCase.window;
  for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++)
    if (facts.error[forest.child[i]!] === 1) return true;
  return false;
}
