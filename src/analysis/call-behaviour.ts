import type { CallPaths } from "../model/call-paths.ts";
import { SpanRole } from "../model/span-facts.ts";
import { SpanFlag, type TraceForest } from "../model/trace-forest.ts";
import type { ChildClasses } from "./child-classes.ts";
import { clopperPearsonInterval } from "./hypothesis-tests.ts";
import { answersEarly } from "./span-waiters.ts";

/** How a parent and its calls of one kind end. */
export const JoinKind = {
  /** the parent ends after all of them */
  all: 0,
  /** the parent ends after the first of several that run together */
  firstOf: 1,
  /** they regularly outlive every span of their service that could wait for them: nobody waits */
  detached: 2,
  /** an INTERNAL parent has often ended, a span above it waits (handlers that end before what they started) */
  above: 3,
  /** the parent gave up waiting in some traces: a CLIENT that ended before its SERVER */
  timeout: 4,
} as const;
export type JoinKind = (typeof JoinKind)[keyof typeof JoinKind];

/**
 * How the program makes the calls of each call-path node, over all complete traces. Columns have one element per
 * node; "parents" are spans of the node's parent node that made at least one such call.
 */
export interface CallBehaviour {
  readonly calls: Int32Array;
  readonly parents: Int32Array;
  /** parents with and without the call */
  readonly parentSpans: Int32Array;
  /** parents in which a call failed */
  readonly failedParents: Int32Array;
  /** fewest and most calls per parent span; 0 where one made none */
  readonly fewest: Int32Array;
  readonly most: Int32Array;
  /** most calls per parent among the parents without a failed one */
  readonly mostWithoutFailure: Int32Array;
  /** most calls of one parent that ran at the same time */
  readonly concurrency: Int32Array;
  /** parents that made at least two calls and never two at the same time: loops; and the calls of those */
  readonly loops: Int32Array;
  readonly loopCalls: Int32Array;
  /** calls that ended after their parent / after the last span of their service that could wait for them */
  readonly outliveParent: Int32Array;
  readonly outliveService: Int32Array;
  /** JoinKind */
  readonly join: Uint8Array;
  /** calls that are let run at the same time where more are issued (a worker pool in the program), 0 for no limit */
  readonly limit: Int32Array;
}

/** Repetition of a call within its parent, for N+1 findings. */
export interface Repetition {
  /** mean and greatest number of calls among the parents that make them one after the other */
  readonly mean: number;
  readonly max: number;
  /** such parents, and their share of the parent spans */
  readonly parents: number;
  readonly share: number;
}

export function repetition(behaviour: CallBehaviour, node: number): Repetition {
  const parents = behaviour.loops[node]!;
  return {
    mean: parents === 0 ? 0 : behaviour.loopCalls[node]! / parents,
    max: parents === 0 ? 0 : behaviour.most[node]!,
    parents,
    share: behaviour.parentSpans[node] === 0 ? 0 : parents / behaviour.parentSpans[node]!,
  };
}

/** Collects CallBehaviour; call `parent` for every span of a complete trace, children and their classes given. */
export class CallBehaviourCounter {
  private readonly forest: TraceForest;
  private readonly paths: CallPaths;
  private readonly waiter: Int32Array;
  private readonly spansOfNode: Int32Array;
  private readonly behaviour: Mutable<CallBehaviour>;
  /** parents in which several calls ran together, the first ended in time and the last did not; and all with several */
  private readonly raceWon: Int32Array;
  private readonly several: Int32Array;
  /** (node, calls, concurrency) of parents with more calls than ran at the same time */
  private readonly throttled: number[] = [];
  private starts = new Float64Array(64);
  private ends = new Float64Array(64);

  /** waiter: from spanWaiters */
  constructor(forest: TraceForest, paths: CallPaths, waiter: Int32Array) {
    this.forest = forest;
    this.waiter = waiter;
    this.paths = paths;
    const column = (): Int32Array => new Int32Array(paths.nodeCount);
    this.spansOfNode = column();
    this.raceWon = column();
    this.several = column();
    this.behaviour = {
      calls: column(),
      parents: column(),
      parentSpans: column(),
      failedParents: column(),
      fewest: column().fill(0x7fffffff),
      most: column(),
      mostWithoutFailure: column(),
      concurrency: column(),
      loops: column(),
      loopCalls: column(),
      outliveParent: column(),
      outliveService: column(),
      join: new Uint8Array(paths.nodeCount),
      limit: column(),
    };
  }

  /** Counts the calls of span `row`; `classes` are those of its children. */
  parent(row: number, classes: ChildClasses): void {
    const b = this.behaviour;
    this.spansOfNode[this.paths.nodeOfRow[row]!]!++;
    for (let local = 0; local < classes.count; local++) {
      const node = classes.node[local]!;
      const calls = classes.calls[local]!;
      b.calls[node]! += calls;
      b.parents[node]!++;
      if (calls < b.fewest[node]!) b.fewest[node] = calls;
      if (calls > b.most[node]!) b.most[node] = calls;
      if (classes.failures[local]! > 0) b.failedParents[node]!++;
      else if (calls > b.mostWithoutFailure[node]!) b.mostWithoutFailure[node] = calls;
      if (calls > 1) this.countTogether(row, node, calls);
      else if (b.concurrency[node] === 0) b.concurrency[node] = 1;
    }
    this.countOutliving(row);
  }

  finish(): CallBehaviour {
    const b = this.behaviour;
    const { nodeCount, parent } = this.paths;
    for (let node = 0; node < nodeCount; node++) {
      const above = parent[node]!;
      b.parentSpans[node] = above < 0 ? 0 : this.spansOfNode[above]!;
      if (b.parents[node]! < b.parentSpans[node]! || b.calls[node] === 0) b.fewest[node] = 0;
      b.join[node] = this.joinOf(node);
    }
    this.findLimits();
    return b;
  }

  /** How many of the `calls` calls of `node` in this parent ran at the same time, at most. */
  private countTogether(row: number, node: number, calls: number): void {
    const { forest, behaviour: b } = this;
    if (calls > this.starts.length) {
      this.starts = new Float64Array(2 * calls);
      this.ends = new Float64Array(2 * calls);
    }
    let n = 0;
    for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++) {
      const child = forest.child[i]!;
      if (this.paths.nodeOfRow[child] !== node || (forest.flags[child]! & SpanFlag.asynchronous) !== 0) continue;
      this.starts[n] = forest.startNs[child]! + forest.toleranceNs[child]!;
      this.ends[n++] = Math.max(forest.startNs[child]! + forest.toleranceNs[child]!, forest.endNs[child]!);
    }
    const ends = this.ends.subarray(0, n).sort();
    let together = 0;
    for (let started = 0, ended = 0; started < n; started++) {
      while (ended < started && ends[ended]! <= this.starts[started]!) ended++;
      together = Math.max(together, started + 1 - ended);
    }
    if (together > b.concurrency[node]!) b.concurrency[node] = together;
    if (together === 1) {
      b.loops[node]!++;
      b.loopCalls[node]! += n;
    } else {
      this.several[node]!++;
      const endNs = forest.endNs[row]! + forest.toleranceNs[row]!;
      if (ends[0]! <= endNs && ends[n - 1]! > endNs) this.raceWon[node]!++;
      if (n > together) this.throttled.push(node, n, together);
    }
  }

  private countOutliving(row: number): void {
    const { forest, behaviour: b } = this;
    for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++) {
      const child = forest.child[i]!;
      if ((forest.flags[child]! & SpanFlag.asynchronous) !== 0) continue;
      const endNs = forest.endNs[child]! - forest.toleranceNs[child]!;
      if (endNs <= forest.endNs[row]! || answersEarly(forest, child)) continue;
      const node = this.paths.nodeOfRow[child]!;
      b.outliveParent[node]!++;
      if (this.waiter[child]! < 0) b.outliveService[node]!++;
    }
  }

  private joinOf(node: number): JoinKind {
    const b = this.behaviour;
    const n = b.calls[node]!;
    if (n === 0 || b.outliveParent[node] === 0) return JoinKind.all;
    const above = this.paths.parent[node]!;
    const low = (k: number): number => clopperPearsonInterval(k, n, 0.9).low;
    if (this.paths.role[node] === SpanRole.server) {
      // A CLIENT exists to wait for its SERVER: where it ended first it gave up, unless it nearly always does.
      return low(b.outliveParent[node]!) > 0.5 ? JoinKind.detached : JoinKind.timeout;
    }
    const races = this.several[node]!;
    if (races > 0 && clopperPearsonInterval(this.raceWon[node]!, races, 0.9).low > 0.5) return JoinKind.firstOf;
    if (low(b.outliveService[node]!) > OUTLIVE_SHARE) return JoinKind.detached;
    const internalParent = above >= 0 && this.paths.role[above] === SpanRole.internal;
    return internalParent && low(b.outliveParent[node]!) > OUTLIVE_SHARE ? JoinKind.above : JoinKind.all;
  }

  /**
   * A limit is believed when at least 5 parents issued more calls than the greatest concurrency ever seen, and most
   * of them (95 % confidence) ran exactly that many at once: chance would scatter.
   */
  private findLimits(): void {
    const b = this.behaviour;
    const reached = new Map<number, { at: number; below: number }>();
    for (let i = 0; i < this.throttled.length; i += 3) {
      const node = this.throttled[i]!;
      const most = b.concurrency[node]!;
      if (this.throttled[i + 1]! <= most) continue;
      const seen = reached.get(node) ?? { at: 0, below: 0 };
      if (this.throttled[i + 2] === most) seen.at++;
      else seen.below++;
      reached.set(node, seen);
    }
    for (const [node, { at, below }] of reached) {
      if (at >= 5 && clopperPearsonInterval(at, at + below, 0.9).low > 0.5) b.limit[node] = b.concurrency[node]!;
    }
  }
}

/** Share of calls beyond which outliving is how the program works, not an accident. */
const OUTLIVE_SHARE = 0.05;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
