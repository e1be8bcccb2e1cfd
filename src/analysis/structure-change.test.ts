import { expect, test } from "vitest";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { describeSpans } from "./span-facts.ts";
import { callingHabits, compareHabits, type StructureChange } from "./structure-change.ts";
import { assembleTraces } from "./trace-assembly.ts";

const ORDER = ["order", "read", "write", "cache"];

/** One trace per entry: "read write write" are the calls of its `order` span. */
function habits(traces: readonly string[]): ReturnType<typeof callingHabits> {
  const rows: SpanRow[] = [];
  traces.forEach((calls, t) => {
    rows.push({ trace: t + 1, id: 1, parent: 0, startNs: 0, endNs: 1000, name: "order" });
    calls
      .split(" ")
      .filter(Boolean)
      .forEach((name, i) => {
        rows.push({ trace: t + 1, id: i + 2, parent: 1, startNs: 10 * i, endNs: 10 * i + 9, name });
      });
  });
  const spans = spansFromRows(rows);
  const forest = assembleTraces(spans, describeSpans(spans));
  return callingHabits(
    forest,
    Int32Array.from(forest.facts.operation, (id) => ORDER.indexOf(spans.strings.get(id))),
  );
}

const times = (count: number, calls: string): string[] => Array.from({ length: count }, () => calls);
const compare = (before: readonly string[], now: readonly string[]): StructureChange =>
  compareHabits(habits(before), habits(now));

test("spans that stop short of what the operation does", () => {
  const { lost, added } = compare(times(50, "read write"), [...times(35, "read write"), ...times(15, "read")]);
  expect(added).toEqual([]);
  expect(lost).toHaveLength(1);
  expect(lost[0]).toMatchObject({ operation: 0, shareBefore: 0, shareNow: 0.3, missing: [2] });
  expect(lost[0]!.rows).toHaveLength(15);
});

test("more of a short way that was usual before is no loss: a cache that hits more often", () => {
  const before = [...times(40, "cache read"), ...times(20, "cache")];
  expect(compare(before, [...times(10, "cache read"), ...times(50, "cache")]).lost).toEqual([]);
});

test("another call in the place of one is no loss", () => {
  expect(compare(times(50, "read"), times(50, "write")).lost).toEqual([]);
});

test("a call that more of the parents make: a cache that hits less often", () => {
  const { added, lost } = compare(
    [...times(45, "cache"), ...times(5, "cache read")],
    [...times(10, "cache"), ...times(40, "cache read")],
  );
  expect(lost).toEqual([]);
  expect(added).toHaveLength(1);
  expect(added[0]).toMatchObject({
    operation: 0,
    called: 1,
    shareBefore: 0.1,
    shareNow: 0.8,
    timesBefore: 1,
    timesNow: 1,
  });
});

test("a call that is made more often by each", () => {
  const { added } = compare(times(30, "read read"), times(30, "read read read read read read"));
  expect(added).toHaveLength(1);
  expect(added[0]).toMatchObject({ called: 1, shareBefore: 1, shareNow: 1, timesBefore: 2, timesNow: 6 });
});

test("nothing of too few spans, nothing without a change", () => {
  expect(compare(times(7, "read write"), times(7, "read"))).toMatchObject({ lost: [], added: [], compared: 0 });
  const same = [...times(30, "read write"), ...times(30, "cache")];
  expect(compare(same, same)).toMatchObject({ lost: [], added: [] });
});
