import { describe, expect, test } from "vitest";
import { quotaFromStops } from "./quota-from-stops.ts";
import { Random } from "./random.ts";

/** The kernel, written apart: takes work from a queue, at most the quota in each period. */
function stoppedShare(work: readonly number[], quota: number): number {
  const queue: number[] = [];
  let stopped = 0;
  for (const w of work) {
    queue.push(w);
    let room = quota;
    while (queue.length > 0 && room > 0) {
      const taken = Math.min(room, queue[0]!);
      queue[0]! -= taken;
      room -= taken;
      if (queue[0]! <= 1e-15) queue.shift();
    }
    if (queue.length > 0) stopped++;
  }
  return stopped / work.length;
}

test("by hand: of ten periods with 10 ms the two with 50 ms were stopped, and what they left was done by the next", () => {
  // From 50 ms on none is stopped. At 30 ms both are, and the 20 ms that each leaves just fit into the next period with its
  // 10; below that the next is stopped as well.
  const work = Float64Array.from([10, 10, 50, 10, 10, 10, 10, 50, 10, 10], (ms) => ms / 1e3);
  const found = quotaFromStops(work, 0.2)!;
  expect(found.value).toBeGreaterThanOrEqual(0.03 - 1e-9);
  expect(found.value).toBeLessThanOrEqual(0.05);
});

describe("the quota that stopped the work is found", () => {
  test.each([1, 2, 3, 4, 5])("seed %i", (seed) => {
    const random = new Random(seed);
    const quota = 0.02 + 0.02 * random.uniform();
    const work = Array.from({ length: 3000 }, () => {
      let sum = 0;
      for (let n = 0; n < 6; n++) if (random.uniform() < 0.5) sum += -0.004 * Math.log(1 - random.uniform());
      return sum;
    });
    const share = stoppedShare(work, quota);
    const found = quotaFromStops(Float64Array.from(work), share)!;
    expect(Math.abs(found.value / quota - 1)).toBeLessThan(0.05);
    expect(found.low).toBeLessThanOrEqual(quota * 1.001);
    expect(found.high).toBeGreaterThanOrEqual(quota * 0.999);
  });
});

test.each([
  ["no periods", [], 0.1],
  ["no work", [0, 0, 0], 0.1],
  ["never stopped", [1, 2, 3], 0],
  ["always stopped", [1, 2, 3], 1],
  ["a share that is no number", [1, 2, 3], Number.NaN],
])("cannot tell: %s", (_, work, share) => {
  expect(quotaFromStops(Float64Array.from(work), share)).toBe(undefined);
});
