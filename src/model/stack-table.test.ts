import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyStacks } from "../testing/random-stacks.ts";
import { plainStacks, stacksFromText } from "../testing/stacks-from-text.ts";
import { mergeStackTables } from "./merge-stack-tables.ts";
import { StackTableBuilder } from "./stack-table-builder.ts";
import { assertStackTable, FrameKind, framesOfStack, labelText, type StackTable } from "./stack-table.ts";

test("equal frames and stacks are one row; parents come first; samples stay apart", () => {
  const table = stacksFromText(`
    main;parse@a.ts:3 2
    main;parse@a.ts:3 5
    main;parse@a.ts:4 1
    main 1`);
  assertStackTable(table);
  expect(table.frames.rowCount).toBe(3);
  expect(Array.from(table.stacks.parent)).toEqual([-1, 0, 0]);
  expect(Array.from(table.samples.stack)).toEqual([1, 1, 2, 0]);
  expect(Array.from(table.samples.values[0]!)).toEqual([2, 5, 1, 1]);
  expect(framesOfStack(table.stacks, 2)).toEqual([0, 2]);
  expect(framesOfStack(table.stacks, -1)).toEqual([]);
});

test("a value type met late is zero in the samples before it; labels are kept once", () => {
  const into = new StackTableBuilder();
  const thread = into.thread(into.process({}));
  const span = { key: into.strings.intern("span_id"), value: into.strings.intern("ab"), isText: true };
  const first = into.valueType("samples", "count");
  const set = into.labelSet([span]);
  into.setValue(into.sample(-1, thread, 5, set), first, 7);
  const second = into.valueType("cpu", "nanoseconds");
  into.setValue(into.sample(-1, thread, -1, into.labelSet([{ ...span }])), second, 9);
  const table = into.finish();
  assertStackTable(table);
  expect(table.samples.values.map((column) => Array.from(column))).toEqual([
    [7, 0],
    [0, 9],
  ]);
  expect(table.labels.listCount).toBe(2);
  expect(labelText(table, table.samples.labelSet[1]!, "span_id")).toBe("ab");
  expect(labelText(table, 0, "span_id")).toBe("");
});

test("a hundred thousand distinct stacks, and one that is ten thousand frames deep", () => {
  const into = new StackTableBuilder();
  const frames = Array.from({ length: 1000 }, (_, i) =>
    into.frame(into.strings.intern(`f${i}`), 0, -1, FrameKind.user),
  );
  for (const a of frames) {
    const root = into.stack(-1, a);
    for (const b of frames.slice(0, 100)) into.stack(root, b);
  }
  let deep = -1;
  for (let i = 0; i < 10_000; i++) deep = into.stack(deep, frames[0]!);
  const table = into.finish();
  assertStackTable(table);
  // 1000 roots and 100 callees each; of the deep one, its first two are among them.
  expect(table.stacks.rowCount).toBe(1000 + 100_000 + 9998);
});

describe("merging", () => {
  const merged = (...tables: StackTable[]): StackTable => mergeStackTables(tables);

  test("keeps every sample, and adds value types as they come", () => {
    const cpu = stacksFromText("main;a 3", { service: "x" });
    const heap = stacksFromText("main;b 5", { type: "space", unit: "bytes", service: "y" });
    const both = merged(cpu, heap);
    assertStackTable(both);
    expect(both.valueTypes.map(({ type }) => type)).toEqual(["cpu", "space"]);
    expect(both.samples.values.map((column) => Array.from(column))).toEqual([
      [3, 0],
      [0, 5],
    ]);
    expect(both.frames.rowCount).toBe(3);
    expect(both.processes.rowCount).toBe(2);
  });

  test("is associative, and the empty merge its identity", () => {
    fc.assert(
      fc.property(anyStacks, anyStacks, anyStacks, (a, b, c) => {
        const all = merged(a, b, c);
        assertStackTable(all);
        expect(plainStacks(merged(merged(a, b), c))).toEqual(plainStacks(all));
        expect(plainStacks(merged(a, merged(b, c)))).toEqual(plainStacks(all));
        expect(plainStacks(merged(merged(), all))).toEqual(plainStacks(all));
      }),
      { numRuns: 60, seed: 11 },
    );
  });
});

test.each([
  ["a parent behind its child", (t: StackTable) => void (t.stacks.parent[0] = 0), "parent 0 of stack 0"],
  ["a frame that is not there", (t: StackTable) => void (t.stacks.frame[0] = 9), "stacks.frame[0] = 9"],
  ["a stack that is not there", (t: StackTable) => void (t.samples.stack[0] = 9), "samples.stack[0] = 9"],
  ["a value that is no number", (t: StackTable) => void (t.samples.values[0]![0] = NaN), "not finite"],
])("%s is told", (_, damage, message) => {
  const table = stacksFromText("main;a 1");
  damage(table);
  expect(() => assertStackTable(table)).toThrow(message);
});
