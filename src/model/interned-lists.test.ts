import fc from "fast-check";
import { expect, test } from "vitest";
import { AttributeType } from "./attribute-table.ts";
import { InternedLists } from "./interned-lists.ts";

test("order makes no other list, a key that comes twice has its last value", () => {
  const lists = new InternedLists();
  const of = (...rows: [number, AttributeType, number][]): number => {
    for (const row of rows) lists.add(...row);
    return lists.close();
  };
  const { string, number } = AttributeType;
  expect(of()).toBe(0);
  expect(of([1, string, 5], [2, string, 6])).toBe(1);
  expect(of([2, string, 6], [1, string, 5])).toBe(1);
  expect(of([1, string, 9], [2, string, 6], [1, string, 5])).toBe(1);
  expect(of([1, number, 5], [2, string, 6])).toBe(2);
  expect(of([1, number, 5.0000001], [2, string, 6])).toBe(3);
  expect(of()).toBe(0);
  expect(Array.from(lists.finish().key)).toEqual([1, 2, 1, 2, 1, 2]);
});

test("law: two lists are one exactly when they hold the same", () => {
  const row = fc.tuple(fc.nat(3), fc.nat(2));
  fc.assert(
    fc.property(fc.array(fc.array(row, { maxLength: 4 }), { minLength: 1, maxLength: 600 }), (all) => {
      const lists = new InternedLists();
      const byText = new Map<string, number>();
      for (const rows of all) {
        for (const [key, value] of rows) lists.add(key, AttributeType.string, value);
        const text = JSON.stringify([...new Map(rows)].toSorted((a, b) => a[0] - b[0]));
        const id = lists.close();
        expect(byText.get(text) ?? id).toBe(id);
        byText.set(text, id);
      }
      expect(lists.finish().listCount).toBe(byText.size);
    }),
    { seed: 5, numRuns: 20 },
  );
});
