import { expect, test } from "vitest";
import { traceFromText } from "../testing/trace-from-text.ts";
import { thinnedStates, withWeight } from "./thin-traces.ts";
import { weightOfTraceState } from "./trace-weights.ts";

test.each([
  // 1 of 2 is a threshold of one half, 0x80000000000000.
  ["", 2, "ot=th:8"],
  ["", 4, "ot=th:c"],
  ["", 16, "ot=th:f"],
  ["", 1, "ot=th:0"],
  ["vendor=x", 2, "ot=th:8,vendor=x"],
  ["ot=th:8;rv:0123456789abcd, vendor=x", 8, "ot=th:e;rv:0123456789abcd,vendor=x"],
])("%j with weight %d is %j", (state, weight, expected) => {
  expect(withWeight(state, weight)).toBe(expected);
});

test.each([1, 2, 3, 7, 10, 1000, 65_536, 1e6])("what is written for weight %d is read as it", (weight) => {
  // To the 52 bits of a double.
  expect(weightOfTraceState(withWeight("", weight)) / weight).toBeCloseTo(1, 9);
});

test("a trace that was sampled before is thinned on top of it, by its tracestate or its attribute", () => {
  const spans = traceFromText(`
    a   |--|   tracestate=ot=th:8
    b   |--|
    c   |--|   sampling.probability=0.25`);
  const state = thinnedStates(spans, 0.5);
  expect([0, 1, 2].map((row) => weightOfTraceState(state(row)))).toEqual([4, 2, 8]);
});
