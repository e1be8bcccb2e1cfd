import type { CallPaths } from "../model/call-paths.ts";
import { SpanFlag, type TraceForest } from "../model/trace-forest.ts";
import type { CallBehaviour } from "./call-behaviour.ts";
import { ChildClasses } from "./child-classes.ts";

/**
 * Per span row: the failed attempt that this call repeats, -1 for none. A retry is a call of the same call path by
 * the same parent, started after an attempt that ended in error.
 *
 * A loop whose items fail now and then looks the same. They are told apart by the parents in which no such call
 * failed: there a program that retries makes the call once, a loop makes several. Without such a parent nothing
 * is decided: a call that fails at first in every trace is not seen as retried.
 */
export function findRetries(forest: TraceForest, paths: CallPaths, behaviour: CallBehaviour): Int32Array {
  const { childStart, child, startNs, endNs, toleranceNs, flags, facts } = forest;
  const retryOf = new Int32Array(forest.spans.rowCount).fill(-1);
  const isRetried = (node: number): boolean =>
    behaviour.failedParents[node]! > 0 && behaviour.most[node]! > 1 && behaviour.mostWithoutFailure[node] === 1;
  const classes = new ChildClasses(paths.nodeCount);
  for (let i = 0; i < forest.rows.length; i++) {
    const row = forest.rows[i]!;
    if (childStart[row + 1]! - childStart[row]! < 2) continue;
    classes.begin();
    for (let j = childStart[row]!; j < childStart[row + 1]!; j++) {
      const call = child[j]!;
      const node = paths.nodeOfRow[call]!;
      if ((flags[call]! & SpanFlag.asynchronous) !== 0 || !isRetried(node)) continue;
      const local = classes.find(node);
      const before = local < 0 ? -1 : classes.lastRow[local]!;
      const follows = before >= 0 && endNs[before]! <= startNs[call]! + toleranceNs[call]!;
      if (follows && facts.error[before] === 1) retryOf[call] = before;
      classes.add(node, call, endNs[call]!, facts.error[call] === 1);
    }
  }
  return retryOf;
}
