import { describe, expect, test } from "vitest";
import { SpanSwitches } from "./span-switches.ts";

const [a, b] = ["a", "b"].map((one) => ({ traceId: one.repeat(32), spanId: one.repeat(16) }));

describe("the active span at a time", () => {
  /*    10   20   30   40   50
   *    a----b---------|    a--   */
  const switches = new SpanSwitches();
  switches.note(a, 10);
  switches.note(a, 15);
  switches.note(b, 20);
  switches.note(undefined, 40);
  switches.note(a, 50);

  test.each([
    [9.9, undefined],
    [10, a],
    [19.9, a],
    [20, b],
    [39, b],
    [40, undefined],
    [49, undefined],
    [50, a],
    [1e9, a],
  ])("at %d", (time, span) => expect(switches.at(time)).toBe(span));

  test("a row per change, not per call", () => expect(switches.size).toBe(4));
});

test("a new window begins with the span that is active", () => {
  const switches = new SpanSwitches();
  switches.note(a, 10);
  switches.clear(30);
  expect([switches.size, switches.at(20), switches.at(30)]).toEqual([1, undefined, a]);
  switches.note(undefined, 40);
  switches.clear(50);
  expect([switches.size, switches.at(60)]).toEqual([0, undefined]);
});

test("what does not fit is counted, and no time behind it has a span", () => {
  const switches = new SpanSwitches(3);
  for (let i = 0; i < 6; i++) switches.note(i % 2 === 0 ? a : b, 10 * i);
  expect(switches.lost).toBe(3);
  // a at 0, b at 10, a at 20; from 30 on nothing is known.
  expect([switches.at(25), switches.at(30), switches.at(55)]).toEqual([a, undefined, undefined]);
  switches.clear(100);
  // The last change that was told, though not kept, is that to b.
  expect([switches.lost, switches.at(100)]).toEqual([0, b]);
});
