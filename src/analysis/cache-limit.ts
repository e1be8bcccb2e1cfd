/** Requests that may be answered from a cache, of one process, in the order of their start. */
export interface CacheAccesses {
  /** what was asked for, as dense ids from 0 */
  readonly key: Int32Array;
  /** nanoseconds on one clock */
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
  /** 1: the value had to be fetched */
  readonly missed: Uint8Array;
}

/** What makes a cache forget, as its hits and misses show. */
export interface CacheLimit {
  /** "entries": so many keys; "lifetime": so many nanoseconds since the value was fetched; "nothing kept": every repeat misses */
  readonly kind: "entries" | "lifetime" | "nothing kept";
  /** the limit lies between: from the last hits, which need so much, to the first misses; 0 where nothing is kept */
  readonly low: number;
  readonly high: number;
  /** how well that parts them: mean of the shares of hits below and of misses at or above it */
  readonly accuracy: number;
  /** requests for a key that was asked for before, as far as they tell */
  readonly repeats: number;
  readonly misses: number;
  readonly keys: number;
  /** what would answer 95 % of the repeats: keys kept at a time, or nanoseconds that each is */
  readonly enoughEntries: number;
  readonly enoughNs: number;
}

/** Fewer hits or misses say nothing of a limit: ten of each are parted so well by chance once in 10,000 times. */
const FEWEST = 10;
const MIN_ACCURACY = 0.9;
/** Size and age go together, as busier times ask for more keys: the one that parts hits from misses must do so better by this. */
const MIN_LEAD = 0.02;
/** A few hits are left where nothing is kept: a request that waits for the fetch of another. */
const NEARLY_NONE = 0.02;
const ENOUGH = 0.95;

/**
 * What a cache is limited by. A cache of E entries that forgets the one used longest ago answers exactly the requests whose key was
 * asked for less than E other keys ago (Mattson et al., "Evaluation techniques for storage hierarchies", IBM Systems Journal 9,
 * 1970: the stack distance); one with a lifetime of T those whose value was fetched less than T ago. So either
 * distance or age parts hits from misses at a sharp limit. Undefined where neither does, or too few requests repeat.
 * Throws a RangeError where columns differ in length or starts go back.
 */
export function cacheLimit(accesses: CacheAccesses): CacheLimit | undefined {
  const { key, startNs, endNs, missed } = accesses;
  const n = key.length;
  if (startNs.length !== n || endNs.length !== n || missed.length !== n)
    throw new RangeError("columns differ in length");
  for (let i = 1; i < n; i++)
    if (startNs[i]! < startNs[i - 1]!) throw new RangeError(`access ${i} starts before the one ahead of it`);
  const keys = key.reduce((most, id) => Math.max(most, id + 1), 0);
  const distance = stackDistances(key, keys);
  const filled = new Float64Array(keys).fill(NaN);
  const byDistance: Sample[] = [];
  const byAge: Sample[] = [];
  const distances: number[] = [];
  let [repeats, misses] = [0, 0];
  for (let i = 0; i < n; i++) {
    const id = key[i]!;
    const isMiss = missed[i] === 1;
    // An answer while the value is being fetched may have waited for it, and tells nothing of what is kept.
    if (distance[i]! >= 0 && !(startNs[i]! < filled[id]!)) {
      repeats++;
      if (isMiss) misses++;
      byDistance.push({ at: distance[i]!, isMiss });
      distances.push(distance[i]!);
      if (!Number.isNaN(filled[id])) byAge.push({ at: startNs[i]! - filled[id]!, isMiss });
    }
    if (!isMiss) continue;
    filled[id] = endNs[i]!;
  }
  const asked = new Set(key).size;
  const found = {
    repeats,
    misses,
    keys: asked,
    enoughEntries: quantile(distances, ENOUGH) + 1,
    enoughNs: enoughLifetime(accesses, keys),
  };
  if (misses < FEWEST) return undefined;
  const hits = repeats - misses;
  if (hits < FEWEST && hits <= NEARLY_NONE * repeats)
    return { kind: "nothing kept", low: 0, high: 0, accuracy: misses / repeats, ...found };
  const size = parting(byDistance);
  const age = parting(byAge);
  const best = (size?.accuracy ?? 0) >= (age?.accuracy ?? 0) ? size : age;
  const other = best === size ? age : size;
  if (best === undefined || best.accuracy < MIN_ACCURACY || best.accuracy - (other?.accuracy ?? 0) < MIN_LEAD)
    return undefined;
  const { below, from, accuracy } = best;
  return best === size
    ? { kind: "entries", low: below + 1, high: from, accuracy, ...found }
    : { kind: "lifetime", low: below, high: from, accuracy, ...found };
}

/** How many other keys were asked for since the same was last; -1 the first time. O(n log n), by a tree of sums over the last uses. */
function stackDistances(key: Int32Array, keys: number): Int32Array {
  const n = key.length;
  const tree = new Int32Array(n + 1);
  const add = (at: number, by: number): void => {
    for (let i = at + 1; i <= n; i += i & -i) tree[i]! += by;
  };
  const before = (at: number): number => {
    let sum = 0;
    for (let i = at; i > 0; i -= i & -i) sum += tree[i]!;
    return sum;
  };
  const last = new Int32Array(keys).fill(-1);
  const distances = new Int32Array(n).fill(-1);
  for (let i = 0; i < n; i++) {
    const used = last[key[i]!]!;
    if (used >= 0) {
      distances[i] = before(i) - before(used + 1);
      add(used, -1);
    }
    add(i, 1);
    last[key[i]!] = i;
  }
  return distances;
}

interface Sample {
  readonly at: number;
  readonly isMiss: boolean;
}

/** What parts hits (up to `below`) from misses (from `from` on) best; undefined where either is rare. */
function parting(samples: Sample[]): { below: number; from: number; accuracy: number } | undefined {
  const misses = samples.reduce((sum, { isMiss }) => sum + Number(isMiss), 0);
  const hits = samples.length - misses;
  if (hits < FEWEST || misses < FEWEST) return undefined;
  samples.sort((a, b) => a.at - b.at);
  let best = { below: 0, from: 0, accuracy: 0.5 };
  let [hitsBelow, missesBelow] = [0, 0];
  for (let i = 0; i < samples.length; i++) {
    const { at, isMiss } = samples[i]!;
    if (i > 0 && at > samples[i - 1]!.at) {
      const accuracy = (hitsBelow / hits + 1 - missesBelow / misses) / 2;
      if (accuracy > best.accuracy) best = { below: samples[i - 1]!.at, from: at, accuracy };
    }
    if (isMiss) missesBelow++;
    else hitsBelow++;
  }
  return best;
}

/**
 * The shortest lifetime, with which 95 % of the repeats are answered: found by halving, each
 * time with all requests played again against a cache of that lifetime.
 */
function enoughLifetime({ key, startNs }: CacheAccesses, keys: number): number {
  const n = key.length;
  const isEnough = (lifetimeNs: number): boolean => {
    const fetched = new Float64Array(keys).fill(NaN);
    let [repeats, hits] = [0, 0];
    for (let i = 0; i < n; i++) {
      const age = startNs[i]! - fetched[key[i]!]!;
      if (!Number.isNaN(age)) repeats++;
      if (age < lifetimeNs) hits++;
      else fetched[key[i]!] = startNs[i]!;
    }
    return hits >= ENOUGH * repeats;
  };
  let [low, high] = [0, n === 0 ? 0 : startNs[n - 1]! - startNs[0]! + 1];
  for (let step = 0; step < HALVINGS; step++) {
    const middle = (low + high) / 2;
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** To a thousandth of the window. */
const HALVINGS = 10;

/** The value that the share of the values does not exceed. */
function quantile(values: number[], share: number): number {
  values.sort((a, b) => a - b);
  return values[Math.max(0, Math.ceil(share * values.length) - 1)] ?? 0;
}
