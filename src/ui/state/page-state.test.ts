import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatState, parseState, patched, START, TIME_STYLES, VIEWS } from "./page-state.ts";

describe("the state in the address", () => {
  test("what is written is read again", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 30 });
    const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: 0, max: 1e15 });
    const box = fc.tuple(number, number, number, number).map(([a, b, c, d]) => ({
      fromMs: Math.min(a, b),
      toMs: Math.max(a, b),
      shortestMs: Math.min(c, d),
      longestMs: Math.max(c, d),
    }));
    const state = fc.record({
      view: fc.constantFrom(...VIEWS),
      endpoint: fc.integer({ min: -1, max: 999_999 }),
      finding: text,
      trace: text,
      span: text,
      flame: fc.integer({ min: -1, max: 999_999 }),
      search: text,
      service: text,
      host: text,
      query: text,
      isUpright: fc.boolean(),
      isDifference: fc.boolean(),
      function: text,
      range: fc.option(
        fc
          .tuple(fc.double({ min: 0, max: 0.5, noNaN: true }), fc.double({ min: 0.51, max: 1, noNaN: true }))
          .map(([from, to]) => [from, to] as const),
        { nil: undefined },
      ),
      times: fc.constantFrom(...TIME_STYLES),
      box: fc.option(box, { nil: undefined }),
    });
    fc.assert(
      fc.property(state, (held) => {
        expect(parseState(formatState(held))).toEqual(held);
      }),
    );
  });

  test.each([
    ["", START],
    ["#", START],
    ["#/nowhere?endpoint=x&box=1,2", START],
    ["#/traces?box=2,1,3,4&flame=-7", { ...START, view: "traces" }],
    ["#/flame?flame=2&search=a%20b", { ...START, view: "flame", flame: 2, search: "a b" }],
  ])("%s", (hash, state) => expect(parseState(hash)).toEqual(state));

  test("what was seen of one trace is not seen of another", () => {
    const held = { ...START, view: "traces", trace: "a", range: [0.2, 0.4], function: "f" } as const;
    expect(patched(held, { span: "b" })).toEqual({ ...held, span: "b" });
    expect(patched(held, { trace: "b" })).toEqual({ ...held, trace: "b", range: undefined, function: "" });
    expect(patched(held, { view: "flame", range: [0, 0.1] }).range).toEqual([0, 0.1]);
  });

  test.each(["#/?range=0.5,0.2", "#/?range=-1,0.2", "#/?range=0,2", "#/?range=a,1"])("%s is no range", (hash) => {
    expect(parseState(hash).range).toBeUndefined();
  });

  test("any text is read as some state", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (hash) => {
        expect(VIEWS).toContain(parseState(hash).view);
      }),
    );
  });
});
