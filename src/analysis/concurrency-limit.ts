import { ascendingOrder } from "./ascending-order.ts";
import { mapToFloats } from "../model/map-column.ts";

/** Uses of something that may be limited: connections of a pool, worker threads, a lock. Columns of one length, any order. */
export interface Uses {
  /** which instance has the limit to itself; any whole number */
  readonly group: Int32Array;
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
  /** how long it was waited for before; NaN where that is not seen */
  readonly waitNs: Float64Array;
}

export interface ConcurrencyLimit {
  readonly kind: "limit";
  /** most uses at once per group */
  readonly limit: number;
  /** share of the busy time during which all were in use */
  readonly fullShare: number;
  /** times that the count reached the limit */
  readonly episodes: number;
  /** how much longer the count stayed at the limit than the counts below it let expect of an unlimited thing */
  readonly excess: number;
  /** mean wait of uses that began while all, or not all, were in use; NaN where not seen */
  readonly waitWhenFullNs: number;
  readonly waitElseNs: number;
  /** mean length of uses that filled the last place, and of the others: alike where what is used has room itself */
  readonly holdWhenFullNs: number;
  readonly holdElseNs: number;
  /** mean number in use, over the whole time and all groups; utilisation is this over limit × groups */
  readonly meanInUse: number;
  readonly groups: number;
}

/** No limit shows, or the data are too few to show one. */
export interface NoConcurrencyLimit {
  readonly kind: "no-limit" | "insufficient-data";
  readonly detail: string;
  /** most uses at once that lasted */
  readonly highest: number;
}

const MIN_USES = 200;
/** Times that a count has to be reached before it is taken for more than chance. */
const MIN_EPISODES = 20;
/** Share of the busy time that clocks and the order of release and acquisition may put above a limit. */
const NOISE = 0.002;
/** The same of clocks that count whole milliseconds; where waits are seen, they tell which of the counts is the limit. */
const COARSE_NOISE = 0.05;
/** A count that thins out freely stays within this of what the counts below it let expect. */
const MIN_EXCESS = 1.6;
/** Where waits are not seen, so much of the busy time has to be spent at the limit: counts that thin out end in less. */
const MIN_FULL_SHARE = 0.02;
/** Waits while all are in use have to be so much longer than other waits. */
const MIN_WAIT_RATIO = 3;
/** Who finds all of n in use waits for the first release, 1 / n of a hold on average, at least for this much of it. */
const MIN_RELEASE = 0.4;
/** Clocks: shorter waits are bookkeeping. */
const MIN_WAIT_NS = 1e5;

/**
 * Finds the number at which uses in flight stop growing while waits above it grow.
 *
 * Without a limit and with arrivals at random, the time with n in use goes as a^n / n! (M/G/∞, whatever the uses last),
 * so the share at n against n − 1 falls as 1/n. A limit piles up at one count what would lie above it: the ratio there
 * jumps. Bursts flatten the fall, but do not end it: nothing lies above a limit. Where waits are seen, those that begin
 * at the limit must be longer than the others; that settles the matter in both directions.
 */
export function findConcurrencyLimit(uses: Uses): ConcurrencyLimit | NoConcurrencyLimit {
  const n = uses.startNs.length;
  if (n < MIN_USES) return { kind: "insufficient-data", detail: `${n} uses, ${MIN_USES} are needed`, highest: 0 };
  const events = eventsOf(uses);
  const levels = timeAtLevels(uses, events);
  const highest = highestThatLasts(levels, NOISE);
  if (highest < 1) return { kind: "insufficient-data", detail: "no use lasts any time", highest: 0 };
  const asked = askedOf(uses);
  const lowest = asked.use.length === 0 ? highest : highestThatLasts(levels, COARSE_NOISE);
  let first: NoConcurrencyLimit | undefined;
  for (let limit = highest; limit >= lowest; limit--) {
    const found = limitAt(uses, events, asked, levels, limit);
    if (found.kind === "limit") return found;
    first ??= found;
  }
  return first!;
}

function limitAt(
  uses: Uses,
  events: Events,
  asked: Asked,
  levels: Levels,
  limit: number,
): ConcurrencyLimit | NoConcurrencyLimit {
  const episodes = levels.entries[limit]!;
  if (episodes < MIN_EPISODES) {
    const detail = `at most ${limit} at once, reached ${episodes} times only: no limit shows`;
    return { kind: "no-limit", detail, highest: limit };
  }
  const { whenFullNs, elseNs } = waitsAt(uses, events, asked, limit);
  const excess = excessAt(levels.timeNs, limit);
  const fullShare = shareFrom(levels.timeNs, limit);
  const isSeen = !Number.isNaN(whenFullNs);
  const holds = holdsAt(uses, events, limit);
  const release = (MIN_RELEASE * holds.holdWhenFullNs) / limit;
  const grows = whenFullNs >= Math.max(MIN_WAIT_NS, release, MIN_WAIT_RATIO * (Number.isNaN(elseNs) ? 0 : elseNs));
  // A single use at once is what anything seldom used shows.
  const pilesUp = excess >= MIN_EXCESS && fullShare >= MIN_FULL_SHARE && limit > 1;
  if (isSeen ? !grows : !pilesUp) {
    const detail = isSeen
      ? `at most ${limit} at once, but waits do not grow there`
      : `at most ${limit} at once, and the counts thin out towards it as they would without a limit`;
    return { kind: "no-limit", detail, highest: limit };
  }
  const { meanInUse, groups } = levels;
  const waits = { waitWhenFullNs: whenFullNs, waitElseNs: elseNs };
  return { kind: "limit", limit, fullShare, episodes, excess, ...waits, ...holds, meanInUse, groups };
}

interface Levels {
  /** per count: time with so many in use, over all groups; [0] is not kept */
  readonly timeNs: number[];
  /** per count: times that it was reached from below */
  readonly entries: number[];
  readonly meanInUse: number;
  readonly groups: number;
}

/** Starts and ends in order of time. */
interface Events {
  /** 2 × use for a start, 2 × use + 1 for an end; ends before starts at equal times: a release makes room for the next */
  readonly order: Int32Array;
  /** time of each of `order` */
  readonly atNs: Float64Array;
  /** per use: its group as a number from 0 on, -1 where it lasts no time */
  readonly place: Int32Array;
  /** the number of each group with a use that lasts */
  readonly places: ReadonlyMap<number, number>;
  readonly groups: number;
}

function eventsOf({ startNs, endNs, group }: Uses): Events {
  const n = startNs.length;
  const starts = ascendingOrder(startNs);
  const ends = ascendingOrder(endNs);
  const order = new Int32Array(2 * n);
  const atNs = new Float64Array(2 * n);
  let started = 0;
  let ended = 0;
  for (let i = 0; i < 2 * n; i++) {
    const isEnd = started === n || (ended < n && endNs[ends[ended]!]! <= startNs[starts[started]!]!);
    const use = isEnd ? ends[ended++]! : starts[started++]!;
    order[i] = 2 * use + (isEnd ? 1 : 0);
    atNs[i] = isEnd ? endNs[use]! : startNs[use]!;
  }
  const places = new Map<number, number>();
  const place = new Int32Array(n).fill(-1);
  for (let use = 0; use < n; use++) {
    if (endNs[use]! <= startNs[use]!) continue;
    let held = places.get(group[use]!);
    if (held === undefined) places.set(group[use]!, (held = places.size));
    place[use] = held;
  }
  return { order, atNs, place, places, groups: places.size };
}

function timeAtLevels(uses: Uses, { order, atNs, place, groups }: Events): Levels {
  const count = new Int32Array(groups);
  const since = new Float64Array(groups);
  const timeNs: number[] = [0];
  const entries: number[] = [0];
  let usedNs = 0;
  for (let i = 0; i < order.length; i++) {
    const event = order[i]!;
    const at = place[event >> 1]!;
    if (at < 0) continue;
    const inUse = count[at]!;
    if (inUse > 0) {
      const passed = atNs[i]! - since[at]!;
      timeNs[inUse]! += passed;
      usedNs += passed * inUse;
    }
    const then = inUse + ((event & 1) === 0 ? 1 : -1);
    count[at] = then;
    since[at] = atNs[i]!;
    while (timeNs.length <= then) {
      timeNs.push(0);
      entries.push(0);
    }
    if ((event & 1) === 0) entries[then]!++;
  }
  const lengthNs = atNs.at(-1)! - atNs[0]!;
  return { timeNs, entries, meanInUse: lengthNs > 0 ? usedNs / lengthNs : 0, groups };
}

/** Highest count that, with those above it, is no mere noise of the clocks. */
function highestThatLasts({ timeNs }: Levels, noise: number): number {
  const busy = timeNs.reduce((sum, time) => sum + time, 0);
  let above = 0;
  for (let count = timeNs.length - 1; count > 0; count--) {
    above += timeNs[count]!;
    if (above > noise * busy) return count;
  }
  return 0;
}

function shareFrom(timeNs: readonly number[], count: number): number {
  const busy = timeNs.reduce((sum, time) => sum + time, 0);
  return busy === 0 ? 0 : timeNs.slice(count).reduce((sum, time) => sum + time, 0) / busy;
}

/** Time at the highest count over what the fall from the two counts below it, continued as 1/n, lets expect there. */
function excessAt(timeNs: readonly number[], highest: number): number {
  const [before, below] = [timeNs[highest - 2] ?? 0, timeNs[highest - 1] ?? 0];
  const at = timeNs[highest]!;
  if (highest === 2) return below === 0 ? Infinity : at / below;
  if (before === 0 || below === 0) return Infinity;
  const expected = below * (below / before) * ((highest - 1) / highest);
  return at / expected;
}

/** Mean length of uses that began when one place at most was left in their group, and of the others. */
function holdsAt(
  { startNs, endNs }: Uses,
  { order, place, groups }: Events,
  limit: number,
): { holdWhenFullNs: number; holdElseNs: number } {
  const count = new Int32Array(groups);
  const sums = [0, 0];
  const counts = [0, 0];
  for (let i = 0; i < order.length; i++) {
    const event = order[i]!;
    const use = event >> 1;
    const at = place[use]!;
    if (at < 0) continue;
    const inUse = (count[at]! += (event & 1) === 0 ? 1 : -1);
    if ((event & 1) !== 0) continue;
    const side = inUse >= limit ? 0 : 1;
    sums[side]! += endNs[use]! - startNs[use]!;
    counts[side]!++;
  }
  const mean = (side: number): number => (counts[side]! === 0 ? Number.NaN : sums[side]! / counts[side]!);
  return { holdWhenFullNs: mean(0), holdElseNs: mean(1) };
}

/** Uses whose wait was seen, by the time from which on they waited. */
interface Asked {
  readonly use: Int32Array;
  readonly atNs: Float64Array;
}

function askedOf({ startNs, waitNs }: Uses): Asked {
  let seen = 0;
  for (let use = 0; use < waitNs.length; use++) if (!Number.isNaN(waitNs[use]!)) seen++;
  const uses = new Int32Array(seen);
  const atNs = new Float64Array(seen);
  for (let use = 0, k = 0; use < waitNs.length; use++) {
    if (Number.isNaN(waitNs[use]!)) continue;
    uses[k] = use;
    atNs[k++] = startNs[use]! - waitNs[use]!;
  }
  const order = ascendingOrder(atNs);
  return { use: order.map((k) => uses[k]!), atNs: mapToFloats(order, (k) => atNs[k]!) };
}

/** Mean wait of uses that began to wait while `limit` were in use in their group, and of the others. */
function waitsAt(
  { waitNs, group }: Uses,
  { order, atNs, place, places, groups }: Events,
  asked: Asked,
  limit: number,
): { whenFullNs: number; elseNs: number } {
  const count = new Int32Array(groups);
  const sums = [0, 0];
  const counts = [0, 0];
  let next = 0;
  for (let k = 0; k < asked.use.length; k++) {
    const use = asked.use[k]!;
    for (; next < order.length && atNs[next]! <= asked.atNs[k]!; next++) {
      const event = order[next]!;
      const at = place[event >> 1]!;
      if (at >= 0) count[at]! += (event & 1) === 0 ? 1 : -1;
    }
    // A use that did not wait starts in the instant it is asked for, and must not count itself.
    const own = waitNs[use] === 0 ? 1 : 0;
    const at = places.get(group[use]!);
    const side = (at === undefined ? 0 : count[at]!) - own >= limit ? 0 : 1;
    sums[side]! += waitNs[use]!;
    counts[side]!++;
  }
  const mean = (side: number): number => (counts[side]! === 0 ? Number.NaN : sums[side]! / counts[side]!);
  return { whenFullNs: mean(0), elseNs: mean(1) };
}
