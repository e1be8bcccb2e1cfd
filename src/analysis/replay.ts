import { GreatestEnds } from "./greatest-ends.ts";
import { Join, type ReplayPlan } from "./replay-plan.ts";
import { mapToFloats } from "../model/map-column.ts";

/** Values of `Edits.gone`. */
export const Gone = {
  no: 0,
  /** the call is not made: nothing below it happens, the parent's time before it remains */
  call: 1,
  /** nor does the time before it pass (the pause before a retry, the turn of a loop) */
  callAndThink: 2,
} as const;

/** What a call waits for of the earlier calls of a kind. */
export const WaitFor = { end: 0, start: 1, nothing: 2 } as const;

/** What is different in a replay; columns per position of the plan (`slotWait`: per element of `slotClass`). */
export interface Edits {
  /** the span's own time takes so many times as long: the gaps between its calls, its tail */
  readonly ownFactor: Float64Array;
  /** the whole subtree takes so many times as long */
  readonly factor: Float64Array;
  /** the span ends no later than so long after its start; Infinity for no limit */
  readonly cutNs: Float64Array;
  /** Gone */
  readonly gone: Uint8Array;
  /** first call of the loop that this call is made one with, -1 for none; the first one's own position there */
  readonly batch: Int32Array;
  /** random numbers: the call of a batch with the lowest stands for its cost */
  readonly batchDraw: Float64Array;
  /** WaitFor */
  readonly slotWait: Uint8Array;
  /** 1 where a call does not share the wait of the sibling named by the plan's `inherit` */
  readonly waitsAlone: Uint8Array;
}

/** Edits that change nothing. */
export function noEdits(plan: ReplayPlan): { -readonly [K in keyof Edits]: Edits[K] } {
  return {
    ownFactor: new Float64Array(plan.count).fill(1),
    factor: new Float64Array(plan.count).fill(1),
    cutNs: new Float64Array(plan.count).fill(Infinity),
    gone: new Uint8Array(plan.count),
    batch: new Int32Array(plan.count).fill(-1),
    batchDraw: new Float64Array(plan.count),
    slotWait: new Uint8Array(plan.slotClass.length),
    waitsAlone: new Uint8Array(plan.count),
  };
}

/** A replay of a plan: relative times per position. */
export interface Replayed {
  /** after the parent's start; 0 for roots */
  readonly startNs: Float64Array;
  readonly durationNs: Float64Array;
}

/** New duration of the root of each trace of the plan, in its order. Without edits exactly the observed ones. */
export function replay(plan: ReplayPlan, edits: Edits): Float64Array {
  const { durationNs } = replaySpans(plan, edits);
  return mapToFloats(plan.traces, (_, t) => durationNs[plan.traceStart[t]!]!);
}

/**
 * Runs the plan: one pass, children before parents, no recursion. Without edits every start and end is reproduced
 * bit for bit: times are whole nanoseconds below 2^53, of which sums and differences are exact.
 *
 * All of it is maxima, minima and sums with constants, so it is monotone: less time anywhere never makes a trace
 * slower. (A batch is the exception: see interventions.ts.)
 */
export function replaySpans(plan: ReplayPlan, edits: Edits): Replayed {
  const run = new Run(plan, edits);
  for (let at = plan.count - 1; at >= 0; at--) run.span(at);
  return { startNs: run.startNs, durationNs: run.durationNs };
}

/** Start and end of every span on the clock of the forest, per position; spans that are gone last no time. */
export function absoluteTimes(
  plan: ReplayPlan,
  edits: Edits,
  replayed: Replayed,
): { startNs: Float64Array; endNs: Float64Array } {
  const startNs = new Float64Array(plan.count);
  const endNs = new Float64Array(plan.count);
  // A factor on a subtree stretches what is inside of it.
  const stretch = new Float64Array(plan.count);
  for (let at = 0; at < plan.count; at++) {
    const up = plan.parentAt[at]!;
    const outer = up < 0 ? 1 : stretch[up]!;
    startNs[at] = up < 0 ? plan.forest.startNs[plan.row[at]!]! : startNs[up]! + outer * replayed.startNs[at]!;
    endNs[at] = startNs[at]! + outer * replayed.durationNs[at]!;
    stretch[at] = outer * edits.factor[at]!;
  }
  return { startNs, endNs };
}

class Run {
  readonly startNs: Float64Array;
  readonly durationNs: Float64Array;
  private readonly plan: ReplayPlan;
  private readonly edits: Edits;
  /** per position: latest of what it waits for; latest end of descendants awaited above it */
  private readonly baseNs: Float64Array;
  private readonly escapeNs: Float64Array;
  /** per kind of call of the current parent: latest end and start so far */
  private readonly classEndNs: Float64Array;
  private readonly classStartNs: Float64Array;
  private readonly ends = new GreatestEnds();

  constructor(plan: ReplayPlan, edits: Edits) {
    this.plan = plan;
    this.edits = edits;
    this.startNs = new Float64Array(plan.count);
    this.durationNs = new Float64Array(plan.count);
    this.baseNs = new Float64Array(plan.count);
    this.escapeNs = new Float64Array(plan.count).fill(-Infinity);
    let classes = 0;
    for (let at = 0; at < plan.count; at++) if (plan.classes[at]! > classes) classes = plan.classes[at]!;
    this.classEndNs = new Float64Array(classes);
    this.classStartNs = new Float64Array(classes);
  }

  span(at: number): void {
    const { plan, edits, durationNs } = this;
    const from = plan.childFrom[at]!;
    const to = plan.childTo[at]!;
    const own = edits.ownFactor[at]!;
    let tailNs = plan.tailNs[at]!;
    if (own !== 1) tailNs += (own - 1) * plan.ownTailNs[at]!;
    let endNs = from === to ? tailNs : this.endOf(at, from, to, own, tailNs);
    if (edits.factor[at] !== 1) endNs *= edits.factor[at]!;
    if (endNs > edits.cutNs[at]!) endNs = edits.cutNs[at]!;
    if (edits.gone[at] !== Gone.no) {
      endNs = 0;
      this.escapeNs[at] = -Infinity;
    }
    durationNs[at] = endNs;
  }

  /** Starts of the children of `at`, and its end. */
  private endOf(at: number, from: number, to: number, own: number, tailNs: number): number {
    const { plan, startNs, durationNs } = this;
    this.batch(from, to);
    this.classEndNs.fill(-Infinity, 0, plan.classes[at]!);
    this.classStartNs.fill(-Infinity, 0, plan.classes[at]!);
    let latestNs = 0;
    let raceNs = Infinity;
    let givenUpNs = -Infinity;
    let limited = false;
    for (let child = from; child < to; child++) {
      this.start(child, own);
      if (plan.limit[child] !== 0) limited = true;
      const endNs = startNs[child]! + durationNs[child]!;
      const join = plan.join[child]!;
      if (join === Join.awaited) {
        if (endNs > latestNs) latestNs = endNs;
      } else if (join === Join.race) raceNs = Math.min(raceNs, endNs);
      else if (join === Join.givenUp) givenUpNs = Math.max(givenUpNs, endNs);
      else if (join === Join.awaitedAbove && this.edits.gone[child] === Gone.no)
        this.escapeNs[at] = Math.max(this.escapeNs[at]!, endNs);
      if (plan.escape[child] === 0) continue;
      const escapeNs = startNs[child]! + this.escapeNs[child]!;
      if (plan.escape[child] === 1) latestNs = Math.max(latestNs, escapeNs);
      else this.escapeNs[at] = Math.max(this.escapeNs[at]!, escapeNs);
    }
    if (limited) this.ends.clear();
    if (raceNs < Infinity) latestNs = Math.max(latestNs, raceNs);
    const endNs =
      givenUpNs > -Infinity
        ? Math.min(plan.durationNs[at]!, Math.max(latestNs, givenUpNs) + tailNs)
        : Math.max(0, latestNs + tailNs);
    for (let child = from; child < to; child++)
      if (plan.join[child] === Join.follows) startNs[child] = endNs + plan.thinkNs[child]!;
    return endNs;
  }

  private start(child: number, own: number): void {
    const { plan, edits, baseNs, startNs, classEndNs, classStartNs } = this;
    const inherit = edits.waitsAlone[child] === 1 ? -1 : plan.inherit[child]!;
    let base = inherit < 0 ? 0 : baseNs[inherit]!;
    for (let slot = plan.slotFrom[child]!; slot < plan.slotFrom[child + 1]!; slot++) {
      const local = plan.slotClass[slot]!;
      const wait = edits.slotWait[slot]!;
      if (wait === WaitFor.nothing) continue;
      const waitNs = wait === WaitFor.start ? classStartNs[local]! : classEndNs[local]!;
      if (waitNs > base) base = waitNs;
    }
    const local = plan.classAt[child]!;
    const limit = plan.limit[child]!;
    const gone = edits.gone[child]!;
    if (limit !== 0 && gone === Gone.no) base = Math.max(base, this.ends.ofClass(local, limit));
    const after = plan.after[child]!;
    if (after >= 0) base = Math.max(base, startNs[after]! + this.durationNs[after]!);
    baseNs[child] = base;
    let thinkNs = plan.thinkNs[child]!;
    if (own !== 1) thinkNs += (own - 1) * plan.ownThinkNs[child]!;
    const inBatch = edits.batch[child]! >= 0 && edits.batch[child] !== child;
    if ((inBatch || gone === Gone.callAndThink) && thinkNs > 0) thinkNs = 0;
    const start = base + thinkNs;
    startNs[child] = start;
    if (local < 0) return;
    const end = start + this.durationNs[child]!;
    if (start > classStartNs[local]!) classStartNs[local] = start;
    if (end > classEndNs[local]!) classEndNs[local] = end;
    if (limit !== 0 && gone === Gone.no) this.ends.addToClass(local, limit, end);
  }

  /** Calls that are made one take as long as the one of them with the lowest draw, at the first one's place. */
  private batch(from: number, to: number): void {
    const { edits, durationNs } = this;
    for (let child = from; child < to; child++) {
      const first = edits.batch[child]!;
      if (first !== child) continue;
      let drawn = -1;
      for (let other = child; other < to; other++) {
        if (edits.batch[other] !== first || edits.gone[other] !== Gone.no) continue;
        if (drawn < 0 || edits.batchDraw[other]! < edits.batchDraw[drawn]!) drawn = other;
      }
      const costNs = drawn < 0 ? 0 : durationNs[drawn]!;
      for (let other = child + 1; other < to; other++) if (edits.batch[other] === first) durationNs[other] = 0;
      durationNs[child] = costNs;
    }
  }
}
