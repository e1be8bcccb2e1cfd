import { ownTimeNs } from "../../analysis/interventions.ts";
import { burstFactor } from "../../analysis/burstiness.ts";
import { erlangC } from "../../analysis/queueing-network.ts";
import { Random } from "../../analysis/random.ts";
import type { Edits } from "../../analysis/replay.ts";
import type { ReplayPlan } from "../../analysis/replay-plan.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { NS_PER_S } from "../../model/units.ts";
import { inFlightCounts } from "../contention.ts";
import type { Window } from "../window.ts";
import { rescaleHosts } from "./host-stretch.ts";
import { loopWaits } from "./loop-waits.ts";
import { requestLoad } from "./request-load.ts";
import { unseenWaits } from "./unseen-waits.ts";
import { waitsOf, type CapacityModel, type ModelResource, type ModelWaits } from "./capacity-model.ts";
import { mapToFloats } from "../../model/map-column.ts";

type WritableEdits = { -readonly [K in keyof Edits]: Edits[K] };

/** Waits that change by less than this are left alone: the replay without changes stays exact. */
const SAME = 0.005;

export interface Rescaled {
  /** the load would be too much for a resource: the edits say nothing */
  readonly saturated: boolean;
  /** use of the fullest resource whose waits change, after the change; 0 where none do */
  readonly fullest: number;
}

/**
 * Writes into `edits` what the waits for CPUs and pools become when the model `before` turns into `after` at the same load.
 *
 * The model gives mean waits before and after. A single wait is moved to where a wait of the same rank stands in the new
 * distribution, taken to be exponential for those who wait at all (as of M/M/c): P(W > w) = C exp(-r w), with C the
 * share that waits and C / r the mean. So a wait that was long stays long in relation, and short ones end.
 */
export function rescaleWaits(
  window: Window,
  plan: ReplayPlan,
  edits: WritableEdits,
  before: CapacityModel,
  after: CapacityModel,
  seed: number,
): Rescaled {
  const [now, then] = [waitsOf(before), waitsOf(after)];
  if (then.isSaturated) return { saturated: true, fullest: 1 };
  let fullest = 0;
  const places = positionsByResource(plan, before.resources);
  const requests = requestsOf(plan);
  const turnNs = turnWaits(before, now);
  before.resources.forEach((resource, i) => {
    const change = changeOf(window, resource, after.resources[i]!, i, now, then);
    if (Math.abs(change.mean - 1) < SAME) return;
    fullest = Math.max(fullest, then.utilisation[i]!);
    if (resource.isEventLoop && resource.resource === "cpu") {
      const modelled = resource.demandS * (now.stretch[i]! - 1) * NS_PER_S * requests;
      const over = Math.max(OVER_MODEL, burstsAt(window, resource, now.utilisation[i]!));
      const found = loopWaits(plan, resource.service, over * modelled, turnNs);
      if (found.positions.length > 0)
        moveWaits(plan, edits, found.positions, found.waitNs, change, new Random(seed + i));
      return;
    }
    const positions = places[i]!;
    if (positions.length === 0) {
      const unseen = resource.resource.startsWith("pool:")
        ? unseenWaits(plan, resource, now.waitS[i]! * NS_PER_S)
        : undefined;
      if (unseen !== undefined) moveWaits(plan, edits, unseen.positions, unseen.waitNs, change, new Random(seed + i));
      return;
    }
    const isPool = resource.resource.startsWith("pool:");
    const waits = isPool
      ? acquisitionWaits(plan, positions, now.waitS[i]! * NS_PER_S)
      : processorWaits(window, plan, positions, resource, now.stretch[i]!, now.utilisation[i]!);
    moveWaits(plan, edits, positions, waits, change, new Random(seed + i));
  });
  const hosts = rescaleHosts(plan, edits, before, after);
  return { saturated: hosts.saturated, fullest: Math.max(fullest, hosts.fullest) };
}

/** Mean wait for a turn on each event loop, in relation to each other. */
function turnWaits({ resources, graph }: CapacityModel, now: ModelWaits): Map<string, number> {
  const waits = new Map<string, number>();
  resources.forEach(({ service, resource, isEventLoop, demandS }, i) => {
    if (!isEventLoop || resource !== "cpu") return;
    const visits = graph.services.get(service)?.visits ?? 0;
    if (visits > 0) waits.set(service, (demandS * (now.stretch[i]! - 1)) / visits);
  });
  return waits;
}

const requestsOf = (plan: ReplayPlan): number =>
  plan.traces.filter((t) => plan.forest.facts.role[plan.forest.root[t]!] !== SpanRole.consumer).length;

interface WaitChange {
  /** mean wait after over mean wait before */
  readonly mean: number;
  /** share that waits after over share that waits before, as the queue with so many servers has it */
  readonly share: number;
}

function changeOf(
  window: Window,
  before: ModelResource,
  after: ModelResource,
  i: number,
  now: ModelWaits,
  then: ModelWaits,
): WaitChange {
  const servers = (r: ModelResource): number => Math.max(1, r.capacityEach);
  const c = erlangC(servers(before), now.utilisation[i]! * servers(before));
  const c2 = erlangC(servers(after), then.utilisation[i]! * servers(after));
  const isPool = before.resource.startsWith("pool:");
  // On shared cores all work takes longer in proportion; for a turn everybody waits for the work of the others.
  const work = before.isEventLoop && before.demandS > 0 ? after.demandS / before.demandS : 1;
  const [w, w2] = isPool ? [now.waitS[i]!, then.waitS[i]!] : [now.stretch[i]! - 1, (then.stretch[i]! - 1) * work];
  if (!(w > 0)) return { mean: 1, share: c > 0 ? c2 / c : 1 };
  // A queue that forgets sooner sees less of a burst at a time.
  const bursts = burstsAt(window, after, then.utilisation[i]!) / burstsAt(window, before, now.utilisation[i]!);
  return { mean: (w2 / w) * bursts, share: c > 0 ? c2 / c : 1 };
}

/**
 * What acquisitions of a pool waited for a connection. Much more than a queue of that size makes wait is something else
 * (bookkeeping, a connection that is opened), and does not grow with the queue.
 */
function acquisitionWaits(plan: ReplayPlan, positions: readonly number[], modelledNs: number): Float64Array {
  const lasted = mapToFloats(positions, (at) => plan.durationNs[at]!);
  const mean = lasted.reduce((sum, ns) => sum + ns, 0) / lasted.length;
  const queued = mean > 0 ? Math.min(1, (MOST_OVER_MODEL * modelledNs) / mean) : 0;
  return lasted.map((ns) => ns * queued);
}

/** Positions of spans that wait for each resource: acquisitions of a pool; work of a service; statements of a database. */
function positionsByResource(plan: ReplayPlan, resources: readonly ModelResource[]): number[][] {
  const { facts, spans } = plan.forest;
  const wanted = new Map<string, number>();
  resources.forEach(({ service, resource, isEventLoop }, i) => {
    if (resource === "cpu" && !isEventLoop) wanted.set(`cpu ${service}`, i);
    else if (resource.startsWith("pool:")) wanted.set(`${resource} ${service}`, i);
  });
  const places: number[][] = resources.map(() => []);
  for (let at = 0; at < plan.count; at++) {
    const row = plan.row[at]!;
    const service = spans.strings.get(facts.service[row]!);
    const callee = facts.callee[row]! < 0 ? "" : spans.strings.get(facts.callee[row]!);
    const i = wanted.get(keyOf(facts.role[row]!, service, callee));
    if (i !== undefined) places[i]!.push(at);
  }
  return places;
}

function keyOf(role: number, service: string, callee: string): string {
  switch (role) {
    case SpanRole.pool:
      return `pool:${callee} ${service}`;
    case SpanRole.database:
      return `cpu ${callee}`;
    case SpanRole.client:
    case SpanRole.producer:
      return "";
    default:
      return `cpu ${service}`;
  }
}

/** Work of very unequal length waits longer than the model's, whose work is exponential; longer still is no such wait. */
const OVER_MODEL = 2;

/**
 * How much longer than at random arrivals wait, by how bursty they are over the time in which a queue forgets: of m servers
 * with work of s each, s / m / (1 - use)² (relaxation time in heavy traffic).
 */
function burstsAt(window: Window, { demandS, capacityEach, instances }: ModelResource, utilisation: number): number {
  const load = requestLoad(window);
  const forgetsNs = (demandS * NS_PER_S) / (capacityEach * instances) / Math.max(1e-3, 1 - utilisation) ** 2;
  const gapNs = NS_PER_S / load.perSecond;
  const startNs = mapToFloats(load.rows, (row) => window.forest.startNs[row]!);
  return burstFactor(startNs, Math.max(forgetsNs, 5 * gapNs));
}

/**
 * The part of each span's own time (of a statement its whole time) that is waiting for the processor. How much there is in
 * all is measured: what the work takes longer than the processor was busy with it, as far as the model's stretch
 * can account for it, or as far as work takes longer that finds all cores taken. Who waited is told by how many of
 * those before it had no core: E[time | n others] = work (1 + k max(0, n + 1 - cores)).
 */
function processorWaits(
  window: Window,
  plan: ReplayPlan,
  positions: readonly number[],
  resource: ModelResource,
  stretch: number,
  utilisation: number,
): Float64Array {
  const { facts } = window.forest;
  const isStatement = facts.role[plan.row[positions[0]!]!] === SpanRole.database;
  const counts = inFlightCounts(window);
  const cores = Math.max(1, Math.floor(resource.capacityEach * (isStatement ? resource.instances : 1)));
  const before = mapToFloats(positions, (at) => {
    const others = (isStatement ? counts.callee : counts.process)[plan.row[at]!]!;
    return Math.max(0, others + 1 - cores);
  });
  const time = mapToFloats(positions, (at) => (isStatement ? plan.durationNs[at]! : ownTimeNs(plan, at)));
  const work = resource.demandS * NS_PER_S * requestsOf(plan);
  const total = time.reduce((sum, ns) => sum + ns, 0);
  // A statement's time holds the network as well, which is no wait.
  const over = Math.max(isStatement ? 1 : OVER_MODEL, burstsAt(window, resource, utilisation));
  const modelled = work * Math.max(0, stretch - 1);
  const seen = Math.min(MOST_OVER_MODEL * modelled, crowdedNs(plan, positions, time, before));
  const target = Math.min(Math.max(0, total - work), Math.max(over * modelled, seen));
  const waitsAt = (k: number): Float64Array => time.map((ns, i) => ns * (1 - 1 / (1 + k * before[i]!)));
  let [low, high] = [0, 1000];
  for (let i = 0; i < 40; i++) {
    const k = (low + high) / 2;
    if (waitsAt(k).reduce((sum, ns) => sum + ns, 0) < target) low = k;
    else high = k;
  }
  return waitsAt(low);
}

/** What is seen of crowds beyond this is none that a processor makes: locks gather crowds as well. */
const MOST_OVER_MODEL = 10;
/** Spans that found a core free, of one kind, for their mean to be the time without waiting. */
const MIN_ALONE = 30;

/** Time that spans which found no core free took longer than those of their kind that did, in all. */
function crowdedNs(plan: ReplayPlan, positions: readonly number[], time: Float64Array, before: Float64Array): number {
  const kinds = new Map<number, { alone: number; aloneNs: number; crowded: number; crowdedNs: number }>();
  positions.forEach((at, i) => {
    const node = plan.paths.nodeOfRow[plan.row[at]!]!;
    let of = kinds.get(node);
    if (of === undefined) kinds.set(node, (of = { alone: 0, aloneNs: 0, crowded: 0, crowdedNs: 0 }));
    if (before[i] === 0) {
      of.alone++;
      of.aloneNs += time[i]!;
    } else {
      of.crowded++;
      of.crowdedNs += time[i]!;
    }
  });
  let sum = 0;
  for (const { alone, aloneNs, crowded, crowdedNs } of kinds.values())
    if (alone >= MIN_ALONE) sum += Math.max(0, crowdedNs - (crowded * aloneNs) / alone);
  return sum;
}

function moveWaits(
  plan: ReplayPlan,
  edits: WritableEdits,
  positions: readonly number[],
  waits: Float64Array,
  change: WaitChange,
  random: Random,
): void {
  const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
  if (mean <= 0) return;
  // A hundredth of the mean is no wait: clocks, bookkeeping of the pool.
  const share = Math.max(1e-6, waits.filter((wait) => wait > 0.01 * mean).length / waits.length);
  const shareAfter = Math.min(1, share * change.share);
  const rate = share / mean;
  const rateAfter = shareAfter / (mean * Math.max(1e-9, change.mean));
  positions.forEach((at, i) => {
    const wait = waits[i]!;
    const moved =
      wait > 0.01 * mean
        ? Math.max(0, (wait * rate + Math.log(shareAfter / share)) / rateAfter)
        : newWait(share, shareAfter, rateAfter, random) + Math.min(wait, wait * change.mean);
    const { role } = plan.forest.facts;
    const kind = role[plan.row[at]!]!;
    if (kind === SpanRole.pool || kind === SpanRole.database) {
      const total = plan.durationNs[at]!;
      if (total > 0) edits.factor[at] = ((total - wait) * edits.factor[at]! + moved) / total;
    } else {
      const total = ownTimeNs(plan, at);
      if (total > 0) edits.ownFactor[at] = ((total - wait) * edits.ownFactor[at]! + moved) / total;
    }
  });
}

/** The wait of one who did not wait before: mostly none. */
function newWait(share: number, shareAfter: number, rateAfter: number, random: Random): number {
  if (shareAfter <= share) return 0;
  const rank = share + (1 - share) * random.uniform();
  return rank >= shareAfter ? 0 : Math.log(shareAfter / rank) / rateAfter;
}
