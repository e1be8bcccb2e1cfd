import { expect, test } from "vitest";
import { ownTimeShares } from "./own-time-shares.ts";
import { Random } from "./random.ts";

const shares = (result: ReturnType<typeof ownTimeShares<string>>) =>
  Object.fromEntries([...result.kinds].map(([kind, { low, share, high }]) => [kind, [low, share, high]]));

test("by hand: half a request inside, a quarter of a thread busy", () => {
  // own 0.5, in calls 0.3: cpu 0.2 / 0.5, at least 0.2 / 0.8; gc 0.05 / 0.5, at least 0.05 / 0.8.
  const found = ownTimeShares(
    [
      { kind: "cpu", perSecond: 0.2 },
      { kind: "gc", perSecond: 0.05 },
    ],
    { own: 0.5, inCalls: 0.3 },
    { utilisation: 0.25, beside: [] },
  );
  expect(shares(found)).toEqual({ cpu: [0.25, 0.4, 0.4], gc: [0.0625, 0.1, 0.1] });
  // Work is half; a queue at 0.25 adds a third of it (M/M/1), a sixth (M/D/1) at least; half is left at most.
  expect(found.loop!.share).toBeCloseTo(0.5 / 3, 12);
  expect(found.loop!.low).toBeCloseTo(0.5 / 6, 12);
  expect(found.loop!.high).toBe(0.5);
});

test("a pool of threads beside the loop: of what is left, before the queue", () => {
  // Work 0.1 / 0.5; the pool 0.3 / 0.5 of it; a queue at 0.5 would be as much as the work, and 0.2 is left for it.
  const found = ownTimeShares(
    [{ kind: "cpu", perSecond: 0.1 }],
    { own: 0.5, inCalls: 0 },
    {
      utilisation: 0.5,
      beside: [
        { kind: "cpu", perSecond: 0.2 },
        { kind: "disk", perSecond: 0.1 },
      ],
    },
  );
  expect(found.beside.get("cpu")).toEqual({ share: expect.closeTo(0.4, 12), low: 0, high: 0.4 });
  expect(found.beside.get("disk")!.share).toBeCloseTo(0.2, 12);
  expect(found.loop!.share).toBeCloseTo(0.2, 12);
});

test("the queue before the pool: what is left after the loop's", () => {
  // Work 0.1 / 1, pool 0.3 / 1, loop's queue at 0.1: 0.1 / 9. One thread at 0.3: 0.3 / 0.7 of 0.3 (M/M/1).
  const of = (pool: { threads: number; utilisation: number }) =>
    ownTimeShares(
      [{ kind: "cpu", perSecond: 0.1 }],
      { own: 1, inCalls: 0 },
      { utilisation: 0.1, beside: [{ kind: "cpu", perSecond: 0.3 }], pool },
    ).pool!;
  expect(of({ threads: 1, utilisation: 0.3 }).share).toBeCloseTo((0.3 * 0.3) / 0.7, 12);
  // Seven threads (√16 − 1 = 3) at a half: 0.5³ / (7 × 0.5) of 0.3.
  expect(of({ threads: 7, utilisation: 0.5 }).share).toBeCloseTo((0.3 * 0.125) / 3.5, 12);
  // A thread that never rests: all that is left, 1 − 0.1 − 0.3 − 0.1 / 9.
  expect(of({ threads: 1, utilisation: 1 })).toEqual({
    share: expect.closeTo(0.6 - 0.1 / 9, 12),
    low: 0,
    high: expect.closeTo(0.6, 12),
  });
});

test("threads that do more than requests wait for explain all of it, in their own proportions", () => {
  const found = ownTimeShares(
    [
      { kind: "cpu", perSecond: 0.3 },
      { kind: "disk", perSecond: 0.1 },
    ],
    { own: 0.1, inCalls: 0 },
    { utilisation: 0.4, beside: [{ kind: "cpu", perSecond: 1 }] },
  );
  expect(shares(found)["cpu"]![1]).toBeCloseTo(0.75, 12);
  expect(shares(found)["disk"]!.slice(1)).toEqual([0.25, 1]);
  expect(found.loop!.share).toBe(0);
  expect(found.beside.get("cpu")!.share).toBe(0);
});

test("nothing inside, or nothing done: nothing is told", () => {
  expect(ownTimeShares([{ kind: "cpu", perSecond: 1 }], { own: 0, inCalls: 1 }).kinds.size).toBe(0);
  expect(ownTimeShares([], { own: 1, inCalls: 0 }, { utilisation: 0, beside: [] }).loop).toBeUndefined();
});

test("never more than the whole, and each within its bounds", () => {
  const random = new Random(3);
  for (let run = 0; run < 2000; run++) {
    const occupied = Array.from({ length: 4 }, (_, i) => ({ kind: `k${i}`, perSecond: 2 * random.uniform() ** 3 }));
    const requests = { own: 3 * random.uniform(), inCalls: random.uniform() };
    const beside = [{ kind: "disk", perSecond: random.uniform() }];
    const threads = { threads: 1 + Math.floor(4 * random.uniform()), utilisation: random.uniform() };
    const {
      kinds,
      loop,
      beside: others,
      pool,
    } = ownTimeShares(occupied, requests, { utilisation: random.uniform(), beside, pool: threads });
    const all = [...kinds.values(), ...others.values(), ...[loop, pool].flatMap((one) => one ?? [])];
    expect(all.reduce((sum, { share }) => sum + share, 0)).toBeLessThanOrEqual(1 + 1e-12);
    for (const { low, share, high } of all) {
      expect(low).toBeLessThanOrEqual(share + 1e-12);
      expect(share).toBeLessThanOrEqual(high + 1e-12);
    }
  }
});
