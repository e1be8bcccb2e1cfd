import { expect, test } from "vitest";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { sampledRows } from "./sampled-rows.ts";
import { buildWindow } from "./window.ts";

const rows: readonly SpanRow[] = Array.from({ length: 4000 }, (_, i) => ({
  trace: i + 1,
  id: 1,
  parent: 0,
  startNs: i,
  endNs: i + 1,
}));
const traces = async (table: readonly SpanRow[], most: number): Promise<number[]> => {
  const window = await buildWindow(spansFromRows(table), async () => {});
  const sampled = sampledRows(window, Int32Array.from(table.keys()), most);
  return Array.from(sampled, (row) => window.spans.traceId[4 * row + 3]!).toSorted((a, b) => a - b);
};

test("a quarter is near a quarter, of every part of the recording", async () => {
  const kept = await traces(rows, 1000);
  // Binomial(4000, 1/4) has a deviation of 27, of each half 19: five of them.
  expect(Math.abs(kept.length - 1000)).toBeLessThan(137);
  expect(Math.abs(kept.filter((trace) => trace <= 2000).length - 500)).toBeLessThan(97);
});

test("the order in which spans arrived does not choose", async () => {
  expect(await traces(rows.toReversed(), 1000)).toEqual(await traces(rows, 1000));
});

test("as many as are wanted are all of them", async () => {
  expect(await traces(rows, 4000)).toHaveLength(4000);
});
