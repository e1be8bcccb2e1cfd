import { describe, expect, test } from "vitest";
import type { RequestSample } from "../../model/page.ts";
import { compareBox } from "./compare-box.ts";

/** Two slow requests of 10 ms at second 1, and one of 2 ms at second 0 that stands for four. */
const REQUESTS: RequestSample = {
  total: 6,
  startMs: [1000, 1000, 0],
  durationMs: [10, 10, 2],
  weight: [1, 1, 4],
  error: [0, 0, 0],
  parts: [
    { service: "a", operation: "x", timeKind: "pool-wait" },
    { service: "a", operation: "x", timeKind: "unexplained" },
  ],
  partStart: [0, 2, 4, 5],
  part: [0, 1, 0, 1, 1],
  partMs: [9, 1, 7, 3, 2],
};

describe("a box of the heat map against the rest", () => {
  test("by hand", () => {
    const found = compareBox(REQUESTS, 5000, { fromMs: 5500, toMs: 6500, shortestMs: 5, longestMs: 20 });
    expect(found.inside).toEqual({ requests: 2, weight: 2, meanMs: 10 });
    expect(found.outside).toEqual({ requests: 1, weight: 4, meanMs: 2 });
    expect(found.parts).toEqual([
      { part: REQUESTS.parts[0], insideMs: 8, outsideMs: 0 },
      { part: REQUESTS.parts[1], insideMs: 2, outsideMs: 2 },
    ]);
  });

  test("borders belong to the box; an empty side is zero, not a number that isn't one", () => {
    const all = compareBox(REQUESTS, 5000, { fromMs: 5000, toMs: 6000, shortestMs: 2, longestMs: 10 });
    expect(all.inside.requests).toBe(3);
    expect(all.outside).toEqual({ requests: 0, weight: 0, meanMs: 0 });
    // (9 + 7) / 6 and (1 + 3 + 4 × 2) / 6
    expect(all.parts.map((part) => part.insideMs)).toEqual([16 / 6, 2]);
  });
});
