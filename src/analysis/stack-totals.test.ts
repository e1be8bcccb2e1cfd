import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { framesOfStack, type StackTable } from "../model/stack-table.ts";
import { anyStacks } from "../testing/random-stacks.ts";
import { stacksFromText } from "../testing/stacks-from-text.ts";
import { compareStacks } from "./stack-difference.ts";
import { groupFrames, inclusiveSums, selfAndTotal, sumByStack, type FrameGrouping } from "./stack-totals.ts";

const valuesOf = (table: StackTable): Float64Array => table.samples.values[table.defaultValue]!;

/** The definition, stack by stack. */
function byDefinition(table: StackTable, by: FrameGrouping): { self: number[]; total: number[] } {
  const { groupCount, groupOf } = groupFrames(table, by);
  const self = Array.from({ length: groupCount }, () => 0);
  const total = Array.from({ length: groupCount }, () => 0);
  for (let row = 0; row < table.samples.rowCount; row++) {
    const groups = framesOfStack(table.stacks, table.samples.stack[row]!).map((frame) => groupOf[frame]!);
    if (groups.length > 0) self[groups.at(-1)!]! += valuesOf(table)[row]!;
    for (const group of new Set(groups)) total[group]! += valuesOf(table)[row]!;
  }
  return { self, total };
}

describe("self and total", () => {
  test("of a drawn profile; recursion counts once", () => {
    const table = stacksFromText(`
      main;parse 3
      main;parse;parse 2
      main;parse;match;parse 1
      main 4`);
    const names = Array.from(table.frames.function, (id) => table.strings.get(id));
    const { self, total } = selfAndTotal(
      table.stacks,
      sumByStack(table, valuesOf(table)),
      groupFrames(table, "function"),
    );
    expect(Object.fromEntries(names.map((name, i) => [name, [self[i], total[i]]]))).toEqual({
      main: [4, 10],
      parse: [6, 6],
      match: [0, 1],
    });
  });

  test("lines of one function are one function, and files one file", () => {
    const table = stacksFromText("main@a.ts:1;parse@b.ts:3 1\nmain@a.ts:2;parse@b.ts:4;trim@b.ts:9 1");
    expect(groupFrames(table, "frame").groupCount).toBe(5);
    expect(groupFrames(table, "function").groupCount).toBe(3);
    expect(groupFrames(table, "file").groupCount).toBe(2);
  });

  test("are those of the definition, at any profile", () => {
    fc.assert(
      fc.property(anyStacks, fc.constantFrom<FrameGrouping>("frame", "function", "file"), (table, by) => {
        const own = sumByStack(table, valuesOf(table));
        const { self, total } = selfAndTotal(table.stacks, own, groupFrames(table, by));
        expect({ self: Array.from(self), total: Array.from(total) }).toEqual(byDefinition(table, by));
        const roots = inclusiveSums(table.stacks, own).filter((_, row) => table.stacks.parent[row] === -1);
        expect(roots.reduce((a, b) => a + b, 0)).toBe(own.reduce((a, b) => a + b, 0));
      }),
      { numRuns: 100, seed: 5 },
    );
  });

  test("a stack of a hundred thousand frames", () => {
    const table = stacksFromText(`${Array.from({ length: 100_000 }, (_, i) => `f${i % 7}`).join(";")} 1`);
    const { total } = selfAndTotal(table.stacks, sumByStack(table, valuesOf(table)), groupFrames(table, "function"));
    expect(Array.from(total)).toEqual([1, 1, 1, 1, 1, 1, 1]);
  });
});

describe("two windows", () => {
  test("a function that grew is first, with a test that says so; one that did not is not", () => {
    const before = stacksFromText(`${"main;parse 1\n".repeat(20)}${"main;write 1\n".repeat(80)}`);
    const after = stacksFromText(`${"main;parse 1\n".repeat(120)}${"main;write 1\n".repeat(80)}`);
    const { samplesBefore, samplesAfter, functions } = compareStacks(before, after);
    expect([samplesBefore, samplesAfter]).toEqual([100, 200]);
    // 20 of 100 before, 120 of 200 after.
    expect(functions[0]).toMatchObject({ name: "parse", selfBefore: 20, selfAfter: 120, totalChange: 0.6 - 0.2 });
    expect(functions[0]!.selfChange).toBeCloseTo(0.4, 12);
    expect(functions[0]!.qValue).toBeLessThan(1e-6);
    expect(functions.at(-1)).toMatchObject({ name: "main", selfChange: 0, totalChange: 0 });
    expect(functions.at(-1)!.pValue).toBeGreaterThan(0.9);
  });

  test("the same profile twice shows no change, and an empty one is no evidence", () => {
    fc.assert(
      fc.property(anyStacks, (table) => {
        expect(compareStacks(table, table).functions.every((f) => f.selfChange === 0 && f.pValue >= 0.99)).toBe(true);
      }),
      { numRuns: 30, seed: 3 },
    );
    const nothing = compareStacks(stacksFromText(""), stacksFromText("main 5"));
    expect(nothing.functions).toMatchObject([{ name: "main", pValue: 1 }]);
  });
});
