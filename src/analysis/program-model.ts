import type { CallPaths } from "../model/call-paths.ts";
import { SpanFlag, type TraceForest } from "../model/trace-forest.ts";
import { CallBehaviourCounter, type CallBehaviour } from "./call-behaviour.ts";
import { ChildClasses } from "./child-classes.ts";
import { findRetries } from "./retries.ts";
import { isFree, SiblingPairCounter, type SiblingPairs } from "./sibling-order.ts";
import { shadowNodes } from "./shadow-spans.ts";
import { spanWaiters } from "./span-waiters.ts";

/** What many traces tell about the program that made them. */
export interface ProgramModel {
  /** per call-path node: how often, how many at once, who waits */
  readonly behaviour: CallBehaviour;
  /** per pair of calls of the same parent: the order they keep */
  readonly pairs: SiblingPairs;
  /** per row of `pairs`: 1 where siblingOrder is "free" */
  readonly free: Uint8Array;
  /** per span row: the span that can have waited for it, -1 for none */
  readonly waiter: Int32Array;
  /** per span row: the failed attempt that it repeats, -1 for none */
  readonly retryOf: Int32Array;
  /** per call-path node: 1 where its spans only wrap a sibling call; see shadow-spans.ts */
  readonly shadow: Uint8Array;
  /** complete traces read */
  readonly traces: number;
}

/**
 * Learns the program from all complete traces: one trace shows one order, many show which orders the program keeps.
 * Asynchronous children (PRODUCER → CONSUMER) are left out: their parent neither orders nor awaits them.
 * Linear in the number of spans, times the kinds of call per parent (at most 32, see child-classes.ts).
 */
export function learnProgram(forest: TraceForest, paths: CallPaths): ProgramModel {
  const waiter = spanWaiters(forest);
  const classes = new ChildClasses(paths.nodeCount);
  const pairs = new SiblingPairCounter(paths.nodeCount);
  const behaviour = new CallBehaviourCounter(forest, paths, waiter);

  const { childStart, child, startNs, endNs, toleranceNs, flags, facts } = forest;
  let traces = 0;
  for (let trace = 0; trace < forest.traceCount; trace++) {
    if (forest.complete[trace] !== 1) continue;
    traces++;
    for (let i = forest.traceStart[trace]!; i < forest.traceStart[trace + 1]!; i++) {
      const row = forest.rows[i]!;
      classes.begin();
      for (let j = childStart[row]!; j < childStart[row + 1]!; j++) {
        const call = child[j]!;
        if ((flags[call]! & SpanFlag.asynchronous) !== 0) continue;
        const node = paths.nodeOfRow[call]!;
        pairs.start(classes, node, startNs[call]! + toleranceNs[call]!);
        classes.add(node, call, endNs[call]!, facts.error[call] === 1);
      }
      behaviour.parent(row, classes);
    }
  }
  const found = pairs.finish();
  const free = Uint8Array.from({ length: found.count }, (_, row) => (isFree(found, row) ? 1 : 0));
  const calls = behaviour.finish();
  return {
    shadow: shadowNodes(forest, paths),
    behaviour: calls,
    pairs: found,
    free,
    waiter,
    retryOf: findRetries(forest, paths, calls),
    traces,
  };
}
