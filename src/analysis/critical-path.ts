import type { SegmentTable } from "../model/segments.ts";
import { SpanKind } from "../model/span-table.ts";
import { grow } from "../model/string-pool.ts";
import { SpanFlag, type TraceForest } from "../model/trace-forest.ts";
import { hasLowerId } from "./parent-links.ts";
import { sortRows } from "./sort-rows.ts";

export interface CriticalPathOptions {
  /** `longpole` (default) or `jaeger`, see criticalPaths */
  readonly rule?: "longpole" | "jaeger";
  /** per span: 1 where its parent does not wait for it (fire and forget); such a span is off the path */
  readonly detached?: Uint8Array;
}

/**
 * Critical path of every trace of the forest, from its root: for each moment of the root's duration the
 * one span whose work the root was waiting for.
 *
 * A backward walk. The cursor starts at a span's end. Of its children the one that finishes last at or before
 * the cursor is on the path; from there to the cursor the time is the span's own; the cursor moves to the
 * child's start, and so on to the span's start. Children are walked in the same way. Of children that end
 * at once the one that started first is taken, then the one with the lower span id.
 *
 * Rule `longpole`:
 * - "At or before" has a tolerance: the coarser clock of the two siblings (`forest.toleranceNs`, 1 µs unless
 *   a host's clock was corrected).
 * - Beyond it, CRISP's rule (USENIX ATC '22): siblings that overlap by less than 1 % of their parent's duration
 *   are one after the other if no further sibling starts or ends within the overlap.
 *   Where they overlap the time is the later one's, so that segments stay disjoint.
 * - A child that outlives its parent is cut at the parent's end, and its own children there too.
 * - Off the path: asynchronous and `detached` children with all below them, and children
 *   that begin when their parent has ended.
 *
 * Rule `jaeger` does what Jaeger UI 2.x does: children are first cut to their parent's (cut) times or, outside
 * of them, dropped; the last one by its uncut end is on the path, further ones only if they end strictly before
 * the cursor; PRODUCER and CONSUMER children are off the path. (That the second of two children which touch is lost
 * is why it is not the default.)
 *
 * Cost: O(k log k) for the k children of each span on the path, O(k) where they are sorted, nothing for the rest.
 */
export function criticalPaths(forest: TraceForest, options: CriticalPathOptions = {}): SegmentTable {
  const walk = new Walk(forest, options.rule ?? "longpole", options.detached);
  const traceStart = new Int32Array(forest.traceCount + 1);
  for (let t = 0; t < forest.traceCount; t++) {
    walk.run(forest.root[t]!, forest.traceStart[t + 1]! - forest.traceStart[t]!);
    traceStart[t + 1] = walk.count;
  }
  return {
    traceStart,
    row: walk.row.subarray(0, walk.count),
    startNs: walk.startNs.subarray(0, walk.count),
    endNs: walk.endNs.subarray(0, walk.count),
  };
}

/** CRISP: overlap of two siblings, relative to the parent's duration, below which they are sequential. */
const SEQUENTIAL_OVERLAP = 0.01;

/**
 * The walk with its stack. A frame is a span on the path: the window that is left of it, and its children in
 * `candidate`, last finishing first. Frames and candidates lie in two stacks of typed arrays, which all
 * traces share: an object per span or per trace would cost more than the walk.
 */
class Walk {
  /** segments found, ascending within a finished trace */
  count = 0;
  row: Int32Array<ArrayBuffer>;
  startNs: Float64Array<ArrayBuffer>;
  endNs: Float64Array<ArrayBuffer>;

  private readonly forest: TraceForest;
  private readonly spanStart: Float64Array;
  private readonly spanEnd: Float64Array;
  private readonly child: Int32Array;
  private readonly childStart: Int32Array;
  private readonly flags: Uint16Array;
  private readonly jaeger: boolean;
  private readonly detached: Uint8Array | undefined;
  private readonly finishesLater: (a: number, b: number) => boolean;

  private depth = 0;
  private frameRow = new Int32Array(64);
  /** start of the window: no segment below the frame may begin before */
  private frameLow = new Float64Array(64);
  /** end of the window */
  private frameEnd = new Float64Array(64);
  /** the cursor: all later time is given out */
  private frameHigh = new Float64Array(64);
  /** child that the cursor stands at the start of; -1 at first */
  private frameLater = new Int32Array(64);
  /** positions in `candidate`: of the frame's first and next one; its last is the next frame's first */
  private frameFirst = new Int32Array(64);
  private frameNext = new Int32Array(64);
  private candidate = new Int32Array(64);
  private candidates = 0;
  /** first segment of the trace being walked */
  private traceFirst = 0;

  constructor(forest: TraceForest, rule: "longpole" | "jaeger", detached: Uint8Array | undefined) {
    this.forest = forest;
    this.jaeger = rule === "jaeger";
    this.detached = detached;
    const { startNs, endNs, spans } = forest;
    // Requests have about a segment per span; more is made room for by `reserve`.
    const expected = forest.rows.length + 64;
    this.row = new Int32Array(expected);
    this.startNs = new Float64Array(expected);
    this.endNs = new Float64Array(expected);
    this.spanStart = startNs;
    this.spanEnd = endNs;
    this.child = forest.child;
    this.childStart = forest.childStart;
    this.flags = forest.flags;
    this.finishesLater = (a, b) => {
      if (endNs[a] !== endNs[b]) return endNs[a]! > endNs[b]!;
      if (startNs[a] !== startNs[b]) return startNs[a]! < startNs[b]!;
      return hasLowerId(spans, a, b);
    };
  }

  /** Appends the path below `root`, whose trace has `size` spans. */
  run(root: number, size: number): void {
    this.reserve(size);
    const { spanStart, spanEnd, childStart } = this;
    this.traceFirst = this.count;
    this.push(root, spanStart[root]!, spanEnd[root]!);
    while (this.depth > 0) {
      const top = this.depth - 1;
      const row = this.frameRow[top]!;
      const low = this.frameLow[top]!;
      let high = this.frameHigh[top]!;
      // Children without children are dealt with here: most are, and a frame costs more than their time.
      for (;;) {
        const child = high > low ? (this.jaeger ? this.nextByJaeger(top, low, high) : this.next(top, low, high)) : -1;
        if (child < 0) {
          this.emit(row, low, high);
          this.candidates = this.frameFirst[top]!;
          this.depth--;
          break;
        }
        const start = spanStart[child]!;
        const end = spanEnd[child]!;
        const childLow = start > low ? start : low;
        const childHigh = end < high ? end : high;
        this.emit(row, childHigh, high);
        high = childLow;
        this.frameLater[top] = child;
        if (childStart[child] === childStart[child + 1]) {
          this.emit(child, childLow, childHigh);
        } else {
          this.frameHigh[top] = high;
          this.push(child, childLow, childHigh);
          break;
        }
      }
    }
    this.reverse(this.traceFirst);
  }

  /** Takes the frame's next child on the path; -1 when the rest of the window is the span's own. */
  private next(top: number, low: number, high: number): number {
    const { spanStart, spanEnd, candidate, candidates } = this;
    const later = this.frameLater[top]!;
    let next = this.frameNext[top]!;
    let found = -1;
    while (next < candidates) {
      const child = candidate[next++]!;
      const end = spanEnd[child]!;
      if (end <= low) break;
      const start = spanStart[child]!;
      if (start >= high || end === start) continue;
      if (later < 0) {
        // Children that outlive the window all end with it: the order among them is that of their starts.
        if (end > high) next = this.firstStartedOfOverflowing(next, high);
        found = end > high ? candidate[next - 1]! : child;
        break;
      }
      if (end <= high || this.isWithinTolerance(child, later, end - high) || this.isSequential(top, next - 1, later)) {
        found = child;
        break;
      }
    }
    this.frameNext[top] = found < 0 ? candidates : next;
    return found;
  }

  private isWithinTolerance(child: number, later: number, excessNs: number): boolean {
    const { toleranceNs } = this.forest;
    return excessNs <= Math.max(toleranceNs[child]!, toleranceNs[later]!);
  }

  /**
   * Candidates from `next - 1` on end at or after `high` as long as they overflow: moves the one that started first
   * (lower id on ties) to the end of their group and returns the position behind it. None of the
   * others can be on the path any more, since they end after it starts.
   */
  private firstStartedOfOverflowing(next: number, high: number): number {
    const { startNs, endNs, spans } = this.forest;
    let best = next - 1;
    let end = next;
    for (; end < this.candidates && endNs[this.candidate[end]!]! >= high; end++) {
      const a = this.candidate[end]!;
      const b = this.candidate[best]!;
      const earlier = startNs[a]! < startNs[b]! || (startNs[a] === startNs[b] && hasLowerId(spans, a, b));
      if (earlier && endNs[a]! > startNs[a]!) best = end;
    }
    const chosen = this.candidate[best]!;
    this.candidate[best] = this.candidate[end - 1]!;
    this.candidate[end - 1] = chosen;
    return end;
  }

  /**
   * CRISP's rule for the candidate at `position`, which ends after the sibling `later` started: the overlap is short
   * and has exactly two endpoints in it, the end of the one and the start of the other.
   */
  private isSequential(top: number, position: number, later: number): boolean {
    const { startNs, endNs, child, childStart } = this.forest;
    const parent = this.frameRow[top]!;
    const earlier = this.candidate[position]!;
    const from = startNs[later]!;
    const to = endNs[earlier]!;
    if (to - from >= SEQUENTIAL_OVERLAP * (endNs[parent]! - startNs[parent]!)) return false;
    if (startNs[earlier]! >= from || endNs[later]! <= to) return false;
    if (position > this.frameFirst[top]! && this.endsWithin(position - 1, from, to)) return false;
    if (position + 1 < this.candidates && this.endsWithin(position + 1, from, to)) return false;
    let low = childStart[parent]!;
    let end = childStart[parent + 1]!;
    const stop = end;
    while (low < end) {
      const middle = (low + end) >> 1;
      if (startNs[child[middle]!]! < from) low = middle + 1;
      else end = middle;
    }
    for (; low < stop && startNs[child[low]!]! <= to; low++) {
      if (child[low] !== later && !this.isOffPath(child[low]!)) return false;
    }
    return true;
  }

  private endsWithin(position: number, from: number, to: number): boolean {
    const end = this.forest.endNs[this.candidate[position]!]!;
    return end >= from && end <= to;
  }

  /** The next child by Jaeger's rule: the first one whatever it is, then those that end strictly before the cursor. */
  private nextByJaeger(top: number, low: number, high: number): number {
    const { spanStart: startNs, spanEnd: endNs } = this;
    const later = this.frameLater[top]!;
    let next = this.frameNext[top]!;
    while (next < this.candidates) {
      const child = this.candidate[next++]!;
      const start = startNs[child]!;
      const end = endNs[child]!;
      if (start < low ? end <= low : start >= this.frameEnd[top]!) continue;
      if (later >= 0 && end >= high) continue;
      this.frameNext[top] = next;
      return child;
    }
    this.frameNext[top] = next;
    return -1;
  }

  private isOffPath(child: number): boolean {
    if ((this.flags[child]! & SpanFlag.asynchronous) !== 0) return true;
    if (this.detached !== undefined && this.detached[child] === 1) return true;
    if (!this.jaeger) return false;
    const kind = this.forest.spans.kind[child]!;
    return kind === SpanKind.producer || kind === SpanKind.consumer;
  }

  /** Opens a frame for `row` within `low .. high` and lays out its children, last finishing first. */
  private push(row: number, low: number, high: number): void {
    const { child, childStart, spanEnd } = this;
    const top = this.depth++;
    if (top === this.frameRow.length) this.growFrames();
    const first = this.candidates;
    this.frameRow[top] = row;
    this.frameLow[top] = low;
    this.frameEnd[top] = high;
    this.frameHigh[top] = high;
    this.frameLater[top] = -1;
    this.frameFirst[top] = first;
    this.frameNext[top] = first;
    const from = childStart[row]!;
    const to = childStart[row + 1]!;
    if (first + to - from > this.candidate.length) this.candidate = grow(this.candidate, Int32Array, first + to - from);
    // Children ascend by start; backwards they mostly descend by end already.
    const { candidate } = this;
    let last = first;
    let lastEnd = Infinity;
    let sorted = true;
    for (let i = to - 1; i >= from; i--) {
      const each = child[i]!;
      if (this.isOffPath(each)) continue;
      const end = spanEnd[each]!;
      sorted &&= end < lastEnd;
      lastEnd = end;
      candidate[last++] = each;
    }
    this.candidates = last;
    if (!sorted) sortRows(candidate, first, last, this.finishesLater);
  }

  /**
   * Adds a segment before those found so far. Only Jaeger's rule stops at children that take no time, where
   * the two segments of their parent are joined.
   */
  private emit(row: number, start: number, end: number): void {
    if (!(end > start)) return;
    const at = this.count;
    if (this.jaeger && at > this.traceFirst && this.row[at - 1] === row && this.startNs[at - 1] === end) {
      this.startNs[at - 1] = start;
      return;
    }
    this.row[at] = row;
    this.startNs[at] = start;
    this.endNs[at] = end;
    this.count = at + 1;
  }

  /** Room for the most segments that a trace of `size` spans can have: each child splits its parent's time once. */
  private reserve(size: number): void {
    const need = this.count + 2 * size;
    if (need <= this.row.length) return;
    this.row = grow(this.row, Int32Array, need);
    this.startNs = grow(this.startNs, Float64Array, need);
    this.endNs = grow(this.endNs, Float64Array, need);
  }

  private growFrames(): void {
    const need = 2 * this.frameRow.length;
    this.frameRow = grow(this.frameRow, Int32Array, need);
    this.frameLow = grow(this.frameLow, Float64Array, need);
    this.frameEnd = grow(this.frameEnd, Float64Array, need);
    this.frameHigh = grow(this.frameHigh, Float64Array, need);
    this.frameLater = grow(this.frameLater, Int32Array, need);
    this.frameFirst = grow(this.frameFirst, Int32Array, need);
    this.frameNext = grow(this.frameNext, Int32Array, need);
  }

  /** The walk goes backwards: turns the segments of the trace that begin at `first` around. */
  private reverse(first: number): void {
    const { row, startNs, endNs } = this;
    for (let i = first, j = this.count - 1; i < j; i++, j--) {
      const heldRow = row[i]!;
      const heldStart = startNs[i]!;
      const heldEnd = endNs[i]!;
      row[i] = row[j]!;
      startNs[i] = startNs[j]!;
      endNs[i] = endNs[j]!;
      row[j] = heldRow;
      startNs[j] = heldStart;
      endNs[j] = heldEnd;
    }
  }
}
