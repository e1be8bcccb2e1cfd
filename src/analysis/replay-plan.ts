import type { CallPaths } from "../model/call-paths.ts";
import { SpanRole } from "../model/span-facts.ts";
import { SpanFlag, type TraceForest } from "../model/trace-forest.ts";
import { JoinKind } from "./call-behaviour.ts";
import { ChildClasses } from "./child-classes.ts";
import { GivenConnections } from "./given-connections.ts";
import { GreatestEnds } from "./greatest-ends.ts";
import type { ProgramModel } from "./program-model.ts";
import { pairRow } from "./sibling-order.ts";
import { answersEarly } from "./span-waiters.ts";

/** How a child takes part in its parent's end. */
export const Join = {
  /** not at all: detached, asynchronous, or cut off by a parent that ended without it */
  none: 0,
  /** the parent ends after it */
  awaited: 1,
  /** the parent, a CLIENT, gave up: it ends at its observed end or when the child does, whichever comes first */
  givenUp: 2,
  /** a span above the parent ends after it */
  awaitedAbove: 3,
  /** the parent ends after the first of these to end */
  race: 4,
  /** asynchronous and started after the parent's end: it follows that end */
  follows: 5,
} as const;

/**
 * Traces as a program to be run again: a span's start is the latest of what it waits for plus a think time, its end
 * the latest of its awaited children plus a tail. All times are relative to the parent's start, so a span's subtree
 * can be computed before it is known when the span starts, and one backward pass over the positions replays all.
 *
 * Columns have one element per position. The positions of a trace are contiguous and start with its root; parents
 * come before their children, and the children of one parent are contiguous, ascending by start.
 */
export interface ReplayPlan {
  readonly forest: TraceForest;
  readonly paths: CallPaths;
  readonly model: ProgramModel;
  /** trace numbers in the forest, and traces.length + 1 positions */
  readonly traces: Int32Array;
  readonly traceStart: Int32Array;
  readonly count: number;
  /** span row */
  readonly row: Int32Array;
  /** position of the parent, -1 for roots */
  readonly parentAt: Int32Array;
  readonly childFrom: Int32Array;
  readonly childTo: Int32Array;
  /** observed duration */
  readonly durationNs: Float64Array;
  /** start − latest of what it waits for; slightly negative within the tolerance of clocks */
  readonly thinkNs: Float64Array;
  /** the part of `thinkNs` in which no other call of the parent ran: the parent's own work */
  readonly ownThinkNs: Float64Array;
  /** end − latest end of the awaited children (of a leaf the duration; negative within the tolerance of clocks and where
   * a SERVER ends after the answer was read); of a CLIENT that gave up the assumed response leg */
  readonly tailNs: Float64Array;
  readonly ownTailNs: Float64Array;
  /** number of its kind of call among its parent's, -1 where nothing waits for it */
  readonly classAt: Int32Array;
  /** kinds of call among its children */
  readonly classes: Int32Array;
  /** count + 1 positions in `slotClass`: the kinds of call that it waits for, all that started before it */
  readonly slotFrom: Int32Array;
  readonly slotClass: Int32Array;
  /** sibling whose wait it shares (launched together, or by code that had waited for it), -1 for none */
  readonly inherit: Int32Array;
  /** acquisition of a connection that this statement was given, where it starts after that and after nothing else; -1 for none */
  readonly after: Int32Array;
  /** so many calls of its kind run at once, it waits for a free place; 0 for no limit */
  readonly limit: Int32Array;
  /** Join */
  readonly join: Uint8Array;
  /** of descendants that are awaited above their parent: 1 the parent of this span waits for them, 2 a span above, 0 nobody */
  readonly escape: Uint8Array;
}

/** Positions of the spans that are reachable from the roots of `traces`; all complete traces when absent. */
export function prepareReplay(
  forest: TraceForest,
  paths: CallPaths,
  model: ProgramModel,
  traces?: Int32Array,
): ReplayPlan {
  const chosen = traces ?? completeTraces(forest);
  const builder = new PlanBuilder(forest, paths, model, chosen);
  for (let t = 0; t < chosen.length; t++) builder.trace(t, forest.root[chosen[t]!]!);
  return builder.finish();
}

function completeTraces(forest: TraceForest): Int32Array {
  const list: number[] = [];
  for (let trace = 0; trace < forest.traceCount; trace++) if (forest.complete[trace] === 1) list.push(trace);
  return Int32Array.from(list);
}

/** One sweep over the children of a parent, in order of start. Times are relative to the parent's start. */
interface Sweep {
  /** end of what ran so far, and own time of the parent (nothing running) up to the current start */
  busyUntilNs: number;
  ownNs: number;
  /** latest end of all earlier siblings that can be waited for */
  latestEndNs: number;
  /** last position at which all earlier siblings had ended; -1 for none */
  barrier: number;
  /** previous position and its start */
  previous: number;
  previousStartNs: number;
}

class PlanBuilder {
  private readonly plan: { -readonly [K in keyof ReplayPlan]: ReplayPlan[K] };
  private readonly seen: ChildClasses;
  private slots: number[] = [];
  private next = 0;
  /** per position: latest of what it waits for, and the parent's own time up to there */
  private readonly baseNs: Float64Array;
  private readonly baseOwnNs: Float64Array;
  /** per class of the current parent: the parent's own time up to its latest end */
  private classOwnNs = new Float64Array(16);
  private readonly ends = new GreatestEnds();
  private readonly connections = new GivenConnections();

  constructor(forest: TraceForest, paths: CallPaths, model: ProgramModel, traces: Int32Array) {
    let count = 0;
    for (const trace of traces) count += forest.traceStart[trace + 1]! - forest.traceStart[trace]!;
    const ints = (): Int32Array => new Int32Array(count);
    const times = (): Float64Array => new Float64Array(count);
    this.seen = new ChildClasses(paths.nodeCount);
    this.baseNs = times();
    this.baseOwnNs = times();
    this.plan = {
      forest,
      paths,
      model,
      traces,
      traceStart: new Int32Array(traces.length + 1),
      count,
      row: ints(),
      parentAt: ints(),
      childFrom: ints(),
      childTo: ints(),
      durationNs: times(),
      thinkNs: times(),
      ownThinkNs: times(),
      tailNs: times(),
      ownTailNs: times(),
      classAt: ints().fill(-1),
      classes: ints(),
      slotFrom: new Int32Array(count + 1),
      slotClass: new Int32Array(0),
      inherit: ints().fill(-1),
      after: ints().fill(-1),
      limit: ints(),
      join: new Uint8Array(count),
      escape: new Uint8Array(count),
    };
  }

  /** Adds trace number `t` of the plan. */
  trace(t: number, root: number): void {
    const { plan } = this;
    const first = this.next;
    plan.traceStart[t] = first;
    this.enter(root, -1);
    for (let at = first; at < this.next; at++) this.children(at);
    this.ends.clear();
    endsOfTrace(plan, first, this.next);
  }

  finish(): ReplayPlan {
    const { plan } = this;
    // Spans that hang under no root (orphan subtrees of an incomplete trace) have no position.
    plan.count = this.next;
    plan.traceStart[plan.traces.length] = this.next;
    plan.slotFrom[this.next] = this.slots.length;
    plan.slotClass = Int32Array.from(this.slots);
    return plan;
  }

  private enter(row: number, parentAt: number): number {
    const { plan } = this;
    const at = this.next++;
    plan.row[at] = row;
    plan.parentAt[at] = parentAt;
    plan.durationNs[at] = plan.forest.endNs[row]! - plan.forest.startNs[row]!;
    plan.slotFrom[at] = this.slots.length;
    return at;
  }

  private children(at: number): void {
    const { plan, seen } = this;
    const { forest } = plan;
    const row = plan.row[at]!;
    const sweep: Sweep = {
      busyUntilNs: 0,
      ownNs: 0,
      latestEndNs: -Infinity,
      barrier: -1,
      previous: -1,
      previousStartNs: 0,
    };
    plan.childFrom[at] = this.next;
    this.connections.begin();
    seen.begin();
    this.ends.clear();
    for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++) {
      const child = forest.child[i]!;
      const childAt = this.enter(child, at);
      const startNs = forest.startNs[child]! - forest.startNs[row]!;
      if ((forest.flags[child]! & SpanFlag.asynchronous) !== 0) plan.thinkNs[childAt] = startNs;
      else this.child(childAt, startNs, sweep);
    }
    plan.childTo[at] = this.next;
    plan.classes[at] = seen.count;
    plan.ownTailNs[at] = Math.max(0, plan.durationNs[at]! - sweep.busyUntilNs);
  }

  /** What the call at `at` waits for, and the time from there to its start. */
  private child(at: number, startNs: number, sweep: Sweep): void {
    const { plan, seen, baseNs, baseOwnNs } = this;
    const row = plan.row[at]!;
    const node = plan.paths.nodeOfRow[row]!;
    const latestNs = startNs + plan.forest.toleranceNs[row]!;
    if (startNs > sweep.busyUntilNs) sweep.ownNs += startNs - sweep.busyUntilNs;
    const allEnded = sweep.latestEndNs <= latestNs;
    this.inheritWait(at, startNs, latestNs, allEnded, sweep);
    for (let i = 0; i < seen.recentCount; i++) {
      const local = seen.recent[i]!;
      const endNs = seen.latestEndNs[local]!;
      if (endNs > latestNs || !this.isOrdered(seen.node[local]!, node)) continue;
      this.slots.push(local);
      if (endNs > baseNs[at]!) {
        baseNs[at] = endNs;
        baseOwnNs[at] = this.classOwnNs[local]!;
      }
    }
    this.waitForPlace(at, node, startNs, latestNs, sweep);
    this.waitForConnection(at, latestNs);
    const thinkNs = startNs - baseNs[at]!;
    plan.thinkNs[at] = thinkNs;
    plan.ownThinkNs[at] = Math.min(Math.max(0, sweep.ownNs - baseOwnNs[at]!), Math.max(0, thinkNs));
    if (allEnded) sweep.barrier = at;
    sweep.previous = at;
    sweep.previousStartNs = startNs;
    if (plan.model.behaviour.join[node] !== JoinKind.detached && plan.model.shadow[node] !== 1)
      this.addToClass(at, node, startNs, sweep);
  }

  /**
   * A call that starts while others run was launched by the same code as the call before it, if nothing ended in
   * between that could have launched it; else by code that runs since the last moment at which nothing ran.
   */
  private inheritWait(at: number, startNs: number, latestNs: number, allEnded: boolean, sweep: Sweep): void {
    const together = !allEnded && sweep.previous >= 0 && !this.ends.anyWithin(sweep.previousStartNs, latestNs, startNs);
    const from = together ? sweep.previous : sweep.barrier;
    this.plan.inherit[at] = from;
    this.baseNs[at] = from < 0 ? 0 : this.baseNs[from]!;
    this.baseOwnNs[at] = from < 0 ? 0 : this.baseOwnNs[from]!;
  }

  /** Calls of the same kind that have all ended were a loop or a batch before this one; others by what many traces say. */
  private isOrdered(from: number, to: number): boolean {
    if (from === to) return true;
    const { model } = this.plan;
    const pair = pairRow(model.pairs, from, to);
    return pair < 0 || model.free[pair] === 0;
  }

  private waitForPlace(at: number, node: number, startNs: number, latestNs: number, sweep: Sweep): void {
    const { plan } = this;
    const limit = plan.model.behaviour.limit[node]!;
    if (limit < 2) return;
    const local = this.seen.find(node);
    const freeNs = local < 0 ? -Infinity : this.ends.ofClass(local, limit);
    if (freeNs > latestNs) return;
    plan.limit[at] = limit;
    if (freeNs > this.baseNs[at]!) {
      this.baseNs[at] = freeNs;
      this.baseOwnNs[at] = sweep.ownNs - Math.max(0, startNs - Math.max(freeNs, sweep.busyUntilNs));
    }
  }

  private waitForConnection(at: number, latestNs: number): void {
    const { plan } = this;
    const { role, callee } = plan.forest.facts;
    const row = plan.row[at]!;
    if (role[row] !== SpanRole.database) return;
    const given = this.connections.take(callee[row]!, latestNs);
    if (given === undefined || given.endNs <= this.baseNs[at]!) return;
    plan.after[at] = given.at;
    this.baseNs[at] = given.endNs;
    this.baseOwnNs[at] = given.ownNs;
  }

  private addToClass(at: number, node: number, startNs: number, sweep: Sweep): void {
    const { plan, seen } = this;
    const endNs = startNs + plan.durationNs[at]!;
    const known = seen.find(node);
    const isLatest = known < 0 || endNs > seen.latestEndNs[known]!;
    const local = seen.add(node, plan.row[at]!, endNs, false);
    if (local >= this.classOwnNs.length) {
      const bigger = new Float64Array(2 * local);
      bigger.set(this.classOwnNs);
      this.classOwnNs = bigger;
    }
    if (isLatest) this.classOwnNs[local] = sweep.ownNs;
    plan.classAt[at] = local;
    this.ends.add(endNs);
    if (plan.limit[at] !== 0) this.ends.addToClass(local, plan.limit[at]!, endNs);
    if (endNs > sweep.latestEndNs) sweep.latestEndNs = endNs;
    const { role, callee } = plan.forest.facts;
    const row = plan.row[at]!;
    if (role[row] === SpanRole.pool) this.connections.add({ at, callee: callee[row]!, endNs, ownNs: sweep.ownNs });
    const parentEndNs = plan.durationNs[plan.parentAt[at]!]!;
    sweep.busyUntilNs = Math.max(sweep.busyUntilNs, Math.min(endNs, parentEndNs));
  }
}

/** Who waits for whose end, and the tails; children before parents. */
function endsOfTrace(plan: ReplayPlan, from: number, to: number): void {
  const { forest, durationNs } = plan;
  /** per position: latest end of descendants that are awaited above it, relative to its start; -Infinity for none */
  const escapes = new Float64Array(to - from).fill(-Infinity);
  const races = new Map<number, boolean>();
  for (let at = to - 1; at >= from; at--) {
    if (races.size > 0) races.clear();
    const startNs = forest.startNs[plan.row[at]!]!;
    const endNs = durationNs[at]!;
    const isInternal = forest.facts.role[plan.row[at]!] === SpanRole.internal;
    let latestNs = 0;
    let raceNs = Infinity;
    let responseNs = -1;
    for (let child = plan.childFrom[at]!; child < plan.childTo[at]!; child++) {
      const childStartNs = forest.startNs[plan.row[child]!]! - startNs;
      const childEndNs = childStartNs + durationNs[child]!;
      const latestAllowedNs = endNs + forest.toleranceNs[plan.row[child]!]!;
      const join = joinOf(plan, at, child, childStartNs, childEndNs <= latestAllowedNs, races);
      plan.join[child] = join;
      if (join === Join.awaited) latestNs = Math.max(latestNs, childEndNs);
      else if (join === Join.race) raceNs = Math.min(raceNs, childEndNs);
      else if (join === Join.givenUp) responseNs = Math.max(0, childStartNs);
      else if (join === Join.awaitedAbove) escapes[at - from] = Math.max(escapes[at - from]!, childEndNs);
      else if (join === Join.follows) plan.thinkNs[child] = childStartNs - endNs;
      const escapeNs = childStartNs + escapes[child - from]!;
      if (escapeNs === -Infinity) continue;
      plan.escape[child] = escapeNs <= latestAllowedNs ? 1 : isInternal ? 2 : 0;
      if (plan.escape[child] === 1) latestNs = Math.max(latestNs, escapeNs);
      else if (plan.escape[child] === 2) escapes[at - from] = Math.max(escapes[at - from]!, escapeNs);
    }
    if (raceNs < Infinity) latestNs = Math.max(latestNs, raceNs);
    plan.tailNs[at] = responseNs >= 0 ? responseNs : endNs - latestNs;
    plan.ownTailNs[at] = Math.min(plan.ownTailNs[at]!, Math.max(0, responseNs >= 0 ? 0 : endNs - latestNs));
  }
}

function joinOf(
  plan: ReplayPlan,
  at: number,
  child: number,
  childStartNs: number,
  inTime: boolean,
  races: Map<number, boolean>,
): number {
  const { forest, model } = plan;
  const row = plan.row[child]!;
  if ((forest.flags[row]! & SpanFlag.asynchronous) !== 0) {
    return childStartNs >= plan.durationNs[at]! - forest.toleranceNs[row]! ? Join.follows : Join.none;
  }
  const kind = model.behaviour.join[plan.paths.nodeOfRow[row]!];
  if (kind === JoinKind.detached || model.shadow[plan.paths.nodeOfRow[row]!] === 1) return Join.none;
  if (kind === JoinKind.firstOf && isRace(plan, at, child, races)) return Join.race;
  if (inTime || answersEarly(forest, row)) return Join.awaited;
  const { role } = forest.facts;
  if (role[plan.row[at]!] === SpanRole.client && role[row] === SpanRole.server) return Join.givenUp;
  return model.waiter[row]! >= 0 ? Join.awaitedAbove : Join.none;
}

/** Do several calls of this kind run under the parent, one of them ending in time? Then it need not wait for them all. */
function isRace(plan: ReplayPlan, at: number, child: number, known: Map<number, boolean>): boolean {
  const node = plan.paths.nodeOfRow[plan.row[child]!]!;
  const before = known.get(node);
  if (before !== undefined) return before;
  const endNs = plan.forest.endNs[plan.row[at]!]!;
  let calls = 0;
  let inTime = 0;
  for (let other = plan.childFrom[at]!; other < plan.childTo[at]!; other++) {
    const row = plan.row[other]!;
    if (plan.paths.nodeOfRow[row] !== node) continue;
    calls++;
    if (plan.forest.endNs[row]! <= endNs + plan.forest.toleranceNs[row]!) inTime++;
  }
  known.set(node, calls > 1 && inTime > 0);
  return calls > 1 && inTime > 0;
}
