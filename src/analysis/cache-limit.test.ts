import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cacheLimit, type CacheAccesses } from "./cache-limit.ts";

const FETCH_NS = 1e5;

/** Requests for keys, the low ones oftener, answered by a real cache of the given kind. */
function run(seed: number, requests: number, answers: (key: number, atNs: number) => boolean): CacheAccesses {
  let state = seed | 1;
  const random = (): number => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  const accesses = {
    key: new Int32Array(requests),
    startNs: new Float64Array(requests),
    endNs: new Float64Array(requests),
  };
  const missed = new Uint8Array(requests);
  let atNs = 0;
  for (let i = 0; i < requests; i++) {
    // Quiet and busy times take turns, so that an age is no number of keys.
    atNs += -Math.log(1 - random()) * (Math.floor(i / 300) % 2 === 0 ? 1e6 : 20e6);
    const key = Math.floor(300 * random() ** 2);
    accesses.key[i] = key;
    accesses.startNs[i] = atNs;
    missed[i] = Number(!answers(key, atNs));
    accesses.endNs[i] = atNs + (missed[i] === 1 ? FETCH_NS : 1e4);
  }
  return { ...accesses, missed };
}

/** Keeps the keys used last: JavaScript's Map is in the order of insertion. */
function leastRecentlyUsed(entries: number): (key: number) => boolean {
  const kept = new Map<number, true>();
  return (key) => {
    const hit = kept.delete(key);
    kept.set(key, true);
    if (kept.size > entries) kept.delete(kept.keys().next().value!);
    return hit;
  };
}

function withLifetime(lifetimeNs: number): (key: number, atNs: number) => boolean {
  const freshUntil = new Map<number, number>();
  return (key, atNs) => {
    if (atNs < (freshUntil.get(key) ?? 0)) return true;
    freshUntil.set(key, atNs + FETCH_NS + lifetimeNs);
    return false;
  };
}

/** Share of the requests for a key that was asked for before of which the value was not fetched. */
function repeatsAnswered({ key, missed }: CacheAccesses): number {
  const known = new Set<number>();
  let [repeats, hits] = [0, 0];
  key.forEach((id, i) => {
    if (!known.has(id)) return void known.add(id);
    repeats++;
    hits += 1 - missed[i]!;
  });
  return hits / repeats;
}

test("a cache of a few entries for many keys is not called off", () => {
  let next = 1;
  const spread = run(9, 6000, () => true);
  // Every 40th request asks for the key of the one before it.
  spread.key.forEach((_, i) => (spread.key[i] = i % 40 === 1 ? spread.key[i - 1]! : (next = (next * 7 + 3) % 997)));
  const cache = leastRecentlyUsed(5);
  const missed = Uint8Array.from(spread.key, (key) => Number(!cache(key)));
  expect(missed.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(0.97 * missed.length);
  expect(cacheLimit({ ...spread, missed })?.kind).not.toBe("nothing kept");
});

test("a cache of E entries parts hits from misses at E other keys, exactly", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 8, max: 120 }), (seed, entries) => {
      const found = cacheLimit(run(seed, 3000, leastRecentlyUsed(entries)))!;
      expect(found).toMatchObject({ kind: "entries", accuracy: 1 });
      expect(found.low).toBeLessThanOrEqual(entries);
      expect(found.high).toBeGreaterThanOrEqual(entries);
      expect(found.high - found.low).toBeLessThanOrEqual(0.1 * entries + 1);
      // A cache of what is called enough does answer 95 % of the repeats.
      const larger = run(seed, 3000, leastRecentlyUsed(found.enoughEntries));
      expect(repeatsAnswered(larger)).toBeGreaterThanOrEqual(0.94);
    }),
    { numRuns: 30 },
  );
});

test("a lifetime parts them by the age of the value", () => {
  fc.assert(
    fc.property(fc.integer(), fc.double({ min: 0.2e9, max: 2e9, noNaN: true }), (seed, lifetimeNs) => {
      const found = cacheLimit(run(seed, 4000, withLifetime(lifetimeNs)))!;
      expect(found).toMatchObject({ kind: "lifetime", accuracy: 1 });
      expect(found.low).toBeLessThanOrEqual(lifetimeNs + 1);
      expect(found.high).toBeGreaterThanOrEqual(lifetimeNs - 1);
      expect(found.high - found.low).toBeLessThanOrEqual(0.2 * lifetimeNs);
      // What is called enough is, in a cache that really keeps values so long.
      expect(repeatsAnswered(run(seed, 4000, withLifetime(found.enoughNs)))).toBeGreaterThanOrEqual(0.94);
      expect(repeatsAnswered(run(seed, 4000, withLifetime(0.8 * found.enoughNs)))).toBeLessThan(0.96);
    }),
    { numRuns: 30 },
  );
});

describe("what tells nothing", () => {
  test.each([
    ["a cache that forgets by chance", (key: number, atNs: number) => Math.sin(key * 7.1 + atNs) > 0],
    ["a cache that answers all but the first", leastRecentlyUsed(1e6)],
  ])("%s", (_, answers) => {
    expect(cacheLimit(run(3, 3000, answers))).toBeUndefined();
  });

  test("no requests", () => {
    const none = {
      key: new Int32Array(),
      startNs: new Float64Array(),
      endNs: new Float64Array(),
      missed: new Uint8Array(),
    };
    expect(cacheLimit(none)).toBeUndefined();
  });
});

test("nothing is kept: each repeat misses, but for those that wait for a fetch that runs", () => {
  const accesses = run(5, 2000, () => false);
  const found = cacheLimit(accesses)!;
  expect(found).toMatchObject({ kind: "nothing kept", low: 0, high: 0, accuracy: 1, keys: new Set(accesses.key).size });
  // The second of two that overlap is answered together with the first, without a fetch of its own.
  const twice = (column: ArrayLike<number>, of: (value: number) => number = (value) => value): number[] =>
    Array.from(column).flatMap((value) => [value, of(value)]);
  const joined: CacheAccesses = {
    key: Int32Array.from(twice(accesses.key)),
    startNs: Float64Array.from(twice(accesses.startNs, (ns) => ns + 1)),
    endNs: Float64Array.from(twice(accesses.endNs)),
    missed: Uint8Array.from(twice(accesses.missed, () => 0)),
  };
  const starts = joined.startNs;
  expect(starts.every((ns, i) => i === 0 || ns >= starts[i - 1]!)).toBe(true);
  expect(cacheLimit(joined)).toMatchObject({ kind: "nothing kept", repeats: found.repeats, misses: found.misses });
});

test("columns that do not fit, and times that go back, are refused", () => {
  const one = {
    key: Int32Array.of(0, 0),
    startNs: Float64Array.of(1, 0),
    endNs: Float64Array.of(2, 2),
    missed: Uint8Array.of(1, 1),
  };
  expect(() => cacheLimit(one)).toThrow("access 1 starts before the one ahead of it");
  expect(() => cacheLimit({ ...one, missed: Uint8Array.of(1) })).toThrow("columns differ in length");
});
