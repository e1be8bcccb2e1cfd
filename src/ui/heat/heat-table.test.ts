import { expect, test } from "vitest";
import { heatStretches } from "./heat-table.ts";

test("stretches of a heat map in numbers", () => {
  // Rows are 1–4 ms, 4–16 ms and 16–64 ms; their middles 2, 8 and 32 ms.
  const heat = {
    startUnixMs: 1000,
    columnMs: 10,
    columns: 3,
    rows: 3,
    lowestMs: 1,
    ratio: 4,
    requests: [60, 0, 0, 38, 1, 0, 0, 1, 0],
  };
  expect(heatStretches(heat, 2)).toEqual([
    // 60 of the first row, 39 of the second, 1 of the third: the 50th lies in the first, the 99th in the second.
    { fromUnixMs: 1000, toUnixMs: 1020, requests: 100, p50Ms: 2, p99Ms: 8, slowestMs: 32 },
    { fromUnixMs: 1020, toUnixMs: 1030, requests: 0, p50Ms: 0, p99Ms: 0, slowestMs: 0 },
  ]);
});
