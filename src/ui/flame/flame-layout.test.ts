import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FlameTree } from "../../model/flame-tree.ts";
import { firstAt, functionTotals, layOutFlame, rowAt } from "./flame-layout.ts";
import { sandwich } from "./sandwich.ts";

/**
 *     all 10
 *       main 8
 *         parse 2      parse again below itself: 1
 *         write 5
 *       idle 2
 */
const TREE: FlameTree = {
  title: "t",
  type: "cpu",
  unit: "samples",
  functions: [
    ["all", "", ""],
    ["main", "a.ts:1", "user"],
    ["parse", "b.ts:2", "user"],
    ["write", "c.ts:3", "user"],
    ["other", "d.ts:4", "user"],
  ],
  parent: [-1, 0, 1, 2, 1, 0],
  function: [0, 1, 2, 2, 3, 4],
  value: [10, 8, 2, 1, 5, 2],
  left: 0,
};

describe("a flame graph's layout", () => {
  const layout = layOutFlame(TREE);

  test("the greatest stands left, children within their parent", () => {
    expect([...layout.depth]).toEqual([0, 1, 2, 3, 2, 1]);
    expect([...layout.width]).toEqual([1, 0.8, 0.2, 0.1, 0.5, 0.2]);
    // main at 0, in it write at 0 and parse at 0.5; other behind main.
    expect([...layout.left]).toEqual([0, 0, 0.5, 0.5, 0, 0.8]);
    expect([...layout.self]).toEqual([0, 1, 1, 1, 5, 2]);
    expect(layout.levels).toBe(4);
  });

  test.each([
    [0, 0.99, 0],
    [1, 0.1, 1],
    [1, 0.85, 5],
    [2, 0.49, 4],
    [2, 0.55, 2],
    [2, 0.75, -1],
    [3, 0.55, 3],
    [3, 0.1, -1],
    [4, 0.1, -1],
  ])("at level %i, %f of the width stands row %i", (level, at, row) => expect(rowAt(layout, level, at)).toBe(row));

  test("a function that calls itself is counted once", () => {
    const { self, total } = functionTotals(TREE, layout);
    expect([...self]).toEqual([0, 1, 2, 5, 2]);
    expect([...total]).toEqual([10, 8, 2, 5, 2]);
  });

  test("children that were wider before are squeezed into their parent", () => {
    const { left, width } = layOutFlame({
      ...TREE,
      parent: [-1, 0, 0],
      function: [0, 1, 2],
      value: [10, 9, 1],
      before: [10, 1, 9],
    });
    expect(width[1]! + width[2]!).toBeCloseTo(1, 9);
    expect(left[2]).toBeCloseTo(0.5, 9);
  });

  test("one function from both sides", () => {
    const { callers, callees } = sandwich(TREE, 2);
    expect(callees.value).toEqual([2, 1]);
    expect(callees.function).toEqual([2, 2]);
    expect(callers.function).toEqual([2, 1, 0]);
    expect(callers.value).toEqual([2, 2, 2]);
  });

  test("100,000 nested calls are laid out", () => {
    const count = 100_000;
    const deep: FlameTree = {
      ...TREE,
      parent: Array.from({ length: count }, (_, i) => i - 1),
      function: Array.from({ length: count }, (_, i) => i % 5),
      value: Array.from({ length: count }, () => 1),
    };
    expect(layOutFlame(deep).levels).toBe(count);
  });
});

test("the first edge at or above a value, as a walk finds it", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 60 }),
      fc.nat(60),
      fc.integer({ min: -1, max: 41 }),
      fc.boolean(),
      (values, skip, value, isAbove) => {
        const edges = Float64Array.from(values.toSorted((a, b) => a - b));
        const from = Math.min(skip, edges.length);
        const walked = edges.findIndex((edge, i) => i >= from && (isAbove ? edge > value : edge >= value));
        expect(firstAt(edges, from, edges.length, value, isAbove)).toBe(walked < 0 ? edges.length : walked);
      },
    ),
  );
});
