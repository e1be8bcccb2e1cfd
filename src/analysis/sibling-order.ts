import { grow } from "../model/string-pool.ts";
import type { ChildClasses } from "./child-classes.ts";
import { clopperPearsonInterval } from "./hypothesis-tests.ts";

/**
 * What many traces say about two kinds of call made by the same parent, one row per ordered pair of call-path
 * nodes (`from`, `to`) of which a `from` started before a `to`; `from` = `to` is a loop or a fan-out.
 *
 * All counts are of parent spans, not of calls: a loop of twenty is one observation. A pair is ordered by start, so
 * a program that starts A and B together in each iteration of a loop has (A, B) always overlapping, yet (B, A)
 * never: the next A waits for the last B.
 */
export interface SiblingPairs {
  readonly count: number;
  /** call-path nodes */
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** parents in which a `from` started before a `to` */
  readonly parents: Int32Array;
  /** of these: at least once a `from` was still running when a `to` started */
  readonly overlapping: Int32Array;
  /** parents in which the first `from` started before the first `to` */
  readonly fromFirst: Int32Array;
  /** of these: a `from` had failed before the first `to` started */
  readonly afterFailure: Int32Array;
  /** row of the pair, by `from` and `to` */
  readonly rowOf: ReadonlyMap<number, number>;
  readonly nodeCount: number;
}

/** Row of the pair (from, to), or -1. */
export function pairRow(pairs: SiblingPairs, from: number, to: number): number {
  return pairs.rowOf.get(from * pairs.nodeCount + to) ?? -1;
}

/** - unknown: too few traces; - waits: `to` starts after `from` has ended; - free: it was seen not to wait. */
export type SiblingOrder = "unknown" | "waits" | "free";

/**
 * A call that started while another ran did not wait for it: two such parents refute the order, unless they are so
 * rare (below 1 %) that a clock or a lost span explains them. The other way round an order is only believed when
 * violations are below 10 % with 95 % confidence: 29 parents without one (0.9^29 < 0.05), never three.
 */
export function siblingOrder(pairs: SiblingPairs, row: number): SiblingOrder {
  const n = pairs.parents[row]!;
  if (n === 0) return "unknown";
  if (isFree(pairs, row)) return "free";
  return clopperPearsonInterval(pairs.overlapping[row]!, n, 0.9).high < 0.1 ? "waits" : "unknown";
}

/** Whether `siblingOrder` is "free". */
export function isFree(pairs: SiblingPairs, row: number): boolean {
  const n = pairs.parents[row]!;
  const k = pairs.overlapping[row]!;
  if (k < 2) return false;
  // From a fifth on the bound need not be computed: that of 2 of 10 is 3.7 %, and it grows with the number.
  return k / n >= 0.2 || clopperPearsonInterval(k, n, 0.9).low > 0.01;
}

/** Collects SiblingPairs: `start` once per call, before it is added to its parent's classes. */
export class SiblingPairCounter {
  private readonly rowOf = new Map<number, number>();
  private readonly nodeCount: number;
  private from = new Int32Array(64);
  private to = new Int32Array(64);
  private parents = new Int32Array(64);
  private overlapping = new Int32Array(64);
  private fromFirst = new Int32Array(64);
  private afterFailure = new Int32Array(64);
  private parentSeen = new Int32Array(64);
  private overlapSeen = new Int32Array(64);

  constructor(nodeCount: number) {
    this.nodeCount = nodeCount;
  }

  /** A call of `node` starts; `latestNs` is its start plus the tolerance of clocks. */
  start(classes: ChildClasses, node: number, latestNs: number): void {
    const isFirst = classes.find(node) < 0;
    const { serial } = classes;
    for (let i = 0; i < classes.recentCount; i++) {
      const local = classes.recent[i]!;
      const pair = this.row(classes.node[local]!, node);
      if (this.parentSeen[pair] !== serial) {
        this.parentSeen[pair] = serial;
        this.parents[pair]!++;
      }
      if (classes.latestEndNs[local]! > latestNs && this.overlapSeen[pair] !== serial) {
        this.overlapSeen[pair] = serial;
        this.overlapping[pair]!++;
      }
      if (!isFirst) continue;
      this.fromFirst[pair]!++;
      if (classes.failures[local]! > 0) this.afterFailure[pair]!++;
    }
  }

  finish(): SiblingPairs {
    const count = this.rowOf.size;
    return {
      count,
      from: this.from.subarray(0, count),
      to: this.to.subarray(0, count),
      parents: this.parents.subarray(0, count),
      overlapping: this.overlapping.subarray(0, count),
      fromFirst: this.fromFirst.subarray(0, count),
      afterFailure: this.afterFailure.subarray(0, count),
      rowOf: this.rowOf,
      nodeCount: this.nodeCount,
    };
  }

  private row(from: number, to: number): number {
    const key = from * this.nodeCount + to;
    const known = this.rowOf.get(key);
    if (known !== undefined) return known;
    const row = this.rowOf.size;
    this.rowOf.set(key, row);
    if (row === this.from.length) this.growColumns(row + 1);
    this.from[row] = from;
    this.to[row] = to;
    return row;
  }

  private growColumns(need: number): void {
    this.from = grow(this.from, Int32Array, need);
    this.to = grow(this.to, Int32Array, need);
    this.parents = grow(this.parents, Int32Array, need);
    this.overlapping = grow(this.overlapping, Int32Array, need);
    this.fromFirst = grow(this.fromFirst, Int32Array, need);
    this.afterFailure = grow(this.afterFailure, Int32Array, need);
    this.parentSeen = grow(this.parentSeen, Int32Array, need);
    this.overlapSeen = grow(this.overlapSeen, Int32Array, need);
  }
}
