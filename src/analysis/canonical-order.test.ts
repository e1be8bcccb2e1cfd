import { expect, test } from "vitest";
import { spanIdHex, traceIdHex, type SpanTable } from "../model/span-table.ts";
import { unixNs } from "../model/units.ts";
import { takeRows } from "../model/take-rows.ts";
import { spanObjects } from "../testing/span-objects.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { inCanonicalOrder } from "./canonical-order.ts";
import { Random } from "./random.ts";

const names = (table: SpanTable): string[] => Array.from(table.name, (id) => table.strings.get(id));

test("traces by id, then spans by start and id", () => {
  const table = spansFromRows([
    { trace: 2, id: 1, parent: 0, startNs: 5, endNs: 9, name: "later trace" },
    { trace: 1, id: 3, parent: 1, startNs: 7, endNs: 8, name: "third" },
    { trace: 1, id: 1, parent: 0, startNs: 0, endNs: 9, name: "first" },
    { trace: 1, id: 2, parent: 1, startNs: 1, endNs: 3, name: "second" },
  ]);
  expect(names(inCanonicalOrder(table))).toEqual(["first", "second", "third", "later trace"]);
});

test("ids beyond the first 53 bits count, as numbers without sign", () => {
  const table = spansFromRows(
    [3, 1, 2].map((id): SpanRow => ({ trace: 1, id, parent: 0, startNs: 0, endNs: 1, name: `${id}` })),
  );
  table.traceId.set([0xffff_ffff, 7, 0, 2, 0xffff_ffff, 7, 0, 1, 1, 0, 0, 3]);
  expect(names(inCanonicalOrder(table))).toEqual(["2", "1", "3"]);
});

test("times are offsets of the median start, whatever they were offsets of", () => {
  const table = spansFromRows(
    [10, 30, 70].map((startNs, i) => ({ trace: i + 1, id: 1, parent: 0, startNs, endNs: 80 })),
  );
  const other = {
    ...table,
    baseUnixNs: unixNs(table.baseUnixNs + 5n),
    startOffsetNs: table.startOffsetNs.map((ns) => ns - 5),
    endOffsetNs: table.endOffsetNs.map((ns) => ns - 5),
  };
  for (const { baseUnixNs, startOffsetNs, endOffsetNs } of [inCanonicalOrder(table), inCanonicalOrder(other)]) {
    expect(baseUnixNs).toBe(table.baseUnixNs + 30n);
    expect([...startOffsetNs]).toEqual([-20, 0, 40]);
    expect([...endOffsetNs]).toEqual([50, 50, 50]);
  }
});

test("what is in order stays the same table", () => {
  const table = inCanonicalOrder(
    spansFromRows([
      { trace: 2, id: 1, parent: 0, startNs: 5, endNs: 9 },
      { trace: 1, id: 1, parent: 0, startNs: 0, endNs: 9 },
    ]),
  );
  expect(inCanonicalOrder(table)).toBe(table);
});

test("law: any order of the rows gives the same spans in the same places, with their attributes and links", () => {
  const random = new Random(3);
  const rows = Array.from({ length: 300 }, (_, i): SpanRow => ({
    trace: 1 + random.below(12),
    // Some ids occur twice, with other ends, names or attributes.
    id: 1 + random.below(40),
    parent: random.below(3),
    startNs: random.below(5),
    endNs: 10 + random.below(3),
    name: `n${random.below(3)}`,
    kind: random.below(4),
    attributes: { size: random.below(2), text: `t${random.below(2)}` },
    ...(i % 7 === 0 ? { link: { trace: 1, id: random.below(3) } } : {}),
  }));
  const table = spansFromRows(rows);
  const expected = spanObjects(inCanonicalOrder(table));
  expect(expected.length).toBe(300);
  for (let seed = 0; seed < 5; seed++) {
    const order = Int32Array.from(rows.keys());
    for (let i = order.length - 1; i > 0; i--) {
      const j = random.below(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    const shuffled = takeRows(table, order);
    expect(spanObjects(shuffled)).not.toEqual(expected);
    expect(spanObjects(inCanonicalOrder(shuffled))).toEqual(expected);
  }
  const canonical = inCanonicalOrder(table);
  const ids = Array.from(
    { length: 300 },
    (_, row) =>
      `${traceIdHex(canonical, row)} ${canonical.baseUnixNs + BigInt(canonical.startOffsetNs[row]!)} ${spanIdHex(canonical, row)}`,
  );
  expect(ids).toEqual(ids.toSorted());
});
