import { describe, expect, test } from "vitest";
import { findConcurrencyLimit, type Uses } from "./concurrency-limit.ts";
import { Random } from "./random.ts";

interface Queue {
  /** Infinity for none */
  readonly limit: number;
  /** arrivals per unit × mean time in use: mean number in use without a limit */
  readonly load: number;
  readonly uses: number;
  readonly seesWaits: boolean;
  readonly groups?: number;
  /** requests that arrive at once */
  readonly burst?: number;
}

/** First come, first served, with random gaps and random times in use: an M/M/c queue, or M/M/∞. */
function queue({ limit, load, uses, seesWaits, groups = 1, burst = 1 }: Queue, seed = 1): Uses {
  const random = new Random(seed);
  const exponential = (mean: number): number => -mean * Math.log(1 - random.uniform());
  const out = { group: [] as number[], startNs: [] as number[], endNs: [] as number[], waitNs: [] as number[] };
  for (let group = 0; group < groups; group++) {
    let now = 0;
    const freeAt: number[] = [];
    for (let i = 0; i < uses / groups; i++) {
      if (i % burst === 0) now += exponential((1e6 * burst) / load);
      freeAt.sort((a, b) => a - b);
      const start = freeAt.length < limit ? now : Math.max(now, freeAt.shift()!);
      const end = start + exponential(1e6);
      freeAt.push(end);
      while (freeAt.length > 0 && limit === Infinity && freeAt[0]! < now) freeAt.shift();
      out.group.push(group);
      out.startNs.push(start);
      out.endNs.push(end);
      out.waitNs.push(seesWaits ? start - now : Number.NaN);
    }
  }
  return {
    group: Int32Array.from(out.group),
    startNs: Float64Array.from(out.startNs),
    endNs: Float64Array.from(out.endNs),
    waitNs: Float64Array.from(out.waitNs),
  };
}

describe("a pool of connections that is used to 85 %", () => {
  test.each<[string, Queue, number]>([
    ["10, waits seen", { limit: 10, load: 8.5, uses: 6000, seesWaits: true }, 10],
    ["10, waits not seen", { limit: 10, load: 8.5, uses: 6000, seesWaits: false }, 10],
    ["4 in each of 3 instances", { limit: 4, load: 3.2, uses: 9000, seesWaits: false, groups: 3 }, 4],
    ["1, a lock", { limit: 1, load: 0.85, uses: 6000, seesWaits: true }, 1],
    ["10, in bursts of 5", { limit: 10, load: 7, uses: 6000, seesWaits: true, burst: 5 }, 10],
  ])("size %s", (_, spec, size) => {
    const found = findConcurrencyLimit(queue(spec));
    expect(found).toMatchObject({ kind: "limit", limit: size, groups: spec.groups ?? 1 });
    if (found.kind !== "limit") return;
    // U = load by the utilisation law; the number in use does not depend on the queue before it
    expect(Math.abs(found.meanInUse / (spec.load * (spec.groups ?? 1)) - 1)).toBeLessThan(0.08);
    // what is used does not depend on how many use it
    expect(Math.abs(found.holdWhenFullNs / 1e6 - 1)).toBeLessThan(0.1);
    if (spec.seesWaits) expect(found.waitWhenFullNs).toBeGreaterThan(10 * found.waitElseNs);
  });
});

describe("no limit where there is none", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("seed %i", (seed) => {
    for (const [load, burst] of [
      [0.5, 1],
      [3, 1],
      [12, 1],
      [6, 5],
    ] as const) {
      const seen = findConcurrencyLimit(queue({ limit: Infinity, load, uses: 6000, seesWaits: false, burst }, seed));
      expect([load, burst, seen.kind]).toEqual([load, burst, "no-limit"]);
      const waits = findConcurrencyLimit(queue({ limit: Infinity, load, uses: 6000, seesWaits: true, burst }, seed));
      expect(waits.kind).toBe("no-limit");
    }
  });

  test("a pool that never fills shows no size", () => {
    const found = findConcurrencyLimit(queue({ limit: 40, load: 4, uses: 6000, seesWaits: true }));
    expect(found.kind).toBe("no-limit");
    expect(found.kind === "no-limit" && found.highest).toBeLessThan(20);
  });
});

test("too few uses", () => {
  expect(findConcurrencyLimit(queue({ limit: 2, load: 1.8, uses: 100, seesWaits: true }))).toMatchObject({
    kind: "insufficient-data",
    detail: "100 uses, 200 are needed",
  });
});
