import { ascendingOrder } from "./weighted-quantile.ts";

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
  const levels = timeAtLevels(uses);
  const highest = highestThatLasts(levels, NOISE);
  if (highest < 1) return { kind: "insufficient-data", detail: "no use lasts any time", highest: 0 };
  const lowest = Number.isNaN(waitsAt(uses, highest).whenFullNs) ? highest : highestThatLasts(levels, COARSE_NOISE);
  let first: NoConcurrencyLimit | undefined;
  for (let limit = highest; limit >= lowest; limit--) {
    const found = limitAt(uses, levels, limit);
    if (found.kind === "limit") return found;
    first ??= found;
  }
  return first!;
}

function limitAt(uses: Uses, levels: Levels, limit: number): ConcurrencyLimit | NoConcurrencyLimit {
  const episodes = levels.entries[limit]!;
  if (episodes < MIN_EPISODES) {
    const detail = `at most ${limit} at once, reached ${episodes} times only: no limit shows`;
    return { kind: "no-limit", detail, highest: limit };
  }
  const { whenFullNs, elseNs } = waitsAt(uses, limit);
  const excess = excessAt(levels.timeNs, limit);
  const fullShare = shareFrom(levels.timeNs, limit);
  const isSeen = !Number.isNaN(whenFullNs);
  const holds = holdsAt(uses, limit);
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

/** Starts (2 × use) and ends (2 × use + 1) in order of time; ends before starts at equal times: a release makes room for the next. */
function eventsOf(uses: Uses): { order: Int32Array; at: (event: number) => number } {
  const n = uses.startNs.length;
  const starts = ascendingOrder(uses.startNs);
  const ends = ascendingOrder(uses.endNs);
  const order = new Int32Array(2 * n);
  let started = 0;
  let ended = 0;
  for (let i = 0; i < 2 * n; i++) {
    const isEnd = started === n || (ended < n && uses.endNs[ends[ended]!]! <= uses.startNs[starts[started]!]!);
    order[i] = isEnd ? 2 * ends[ended++]! + 1 : 2 * starts[started++]!;
  }
  return { order, at: (event) => ((event & 1) === 0 ? uses.startNs[event >> 1]! : uses.endNs[event >> 1]!) };
}

function timeAtLevels(uses: Uses): Levels {
  const { order, at } = eventsOf(uses);
  const inUse = new Map<number, { count: number; since: number }>();
  const timeNs: number[] = [0];
  const entries: number[] = [0];
  let usedNs = 0;
  for (const event of order) {
    const use = event >> 1;
    if (uses.endNs[use]! <= uses.startNs[use]!) continue;
    const group = uses.group[use]!;
    let state = inUse.get(group);
    if (state === undefined) inUse.set(group, (state = { count: 0, since: 0 }));
    if (state.count > 0) {
      const passed = at(event) - state.since;
      timeNs[state.count]! += passed;
      usedNs += passed * state.count;
    }
    state.count += (event & 1) === 0 ? 1 : -1;
    state.since = at(event);
    while (timeNs.length <= state.count) {
      timeNs.push(0);
      entries.push(0);
    }
    if ((event & 1) === 0) entries[state.count]!++;
  }
  const lengthNs = at(order.at(-1)!) - at(order[0]!);
  return { timeNs, entries, meanInUse: lengthNs > 0 ? usedNs / lengthNs : 0, groups: inUse.size };
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
function holdsAt(uses: Uses, limit: number): { holdWhenFullNs: number; holdElseNs: number } {
  const { order } = eventsOf(uses);
  const inUse = new Map<number, number>();
  const sums = [0, 0];
  const counts = [0, 0];
  for (const event of order) {
    const use = event >> 1;
    const lengthNs = uses.endNs[use]! - uses.startNs[use]!;
    if (lengthNs <= 0) continue;
    const count = (inUse.get(uses.group[use]!) ?? 0) + ((event & 1) === 0 ? 1 : -1);
    inUse.set(uses.group[use]!, count);
    if ((event & 1) !== 0) continue;
    const side = count >= limit ? 0 : 1;
    sums[side]! += lengthNs;
    counts[side]!++;
  }
  const mean = (side: number): number => (counts[side]! === 0 ? Number.NaN : sums[side]! / counts[side]!);
  return { holdWhenFullNs: mean(0), holdElseNs: mean(1) };
}

/** Mean wait of uses that began to wait while `limit` were in use in their group, and of the others. */
function waitsAt(uses: Uses, limit: number): { whenFullNs: number; elseNs: number } {
  const n = uses.startNs.length;
  const { order, at } = eventsOf(uses);
  const askedNs = uses.startNs.map((start, i) => start - uses.waitNs[i]!);
  const seen = Int32Array.from({ length: n }, (_, i) => i).filter((i) => !Number.isNaN(uses.waitNs[i]!));
  const asked = ascendingOrder(Float64Array.from(seen, (i) => askedNs[i]!)).map((i) => seen[i]!);
  const inUse = new Map<number, number>();
  const sums = [0, 0];
  const counts = [0, 0];
  let next = 0;
  for (const use of asked) {
    const askedAt = askedNs[use]!;
    for (; next < order.length && at(order[next]!) <= askedAt; next++) {
      const event = order[next]!;
      const other = event >> 1;
      if (uses.endNs[other]! <= uses.startNs[other]!) continue;
      const group = uses.group[other]!;
      inUse.set(group, (inUse.get(group) ?? 0) + ((event & 1) === 0 ? 1 : -1));
    }
    // A use that did not wait starts in the instant it is asked for, and must not count itself.
    const own = uses.waitNs[use] === 0 ? 1 : 0;
    const side = (inUse.get(uses.group[use]!) ?? 0) - own >= limit ? 0 : 1;
    sums[side]! += uses.waitNs[use]!;
    counts[side]!++;
  }
  const mean = (side: number): number => (counts[side]! === 0 ? Number.NaN : sums[side]! / counts[side]!);
  return { whenFullNs: mean(0), elseNs: mean(1) };
}
