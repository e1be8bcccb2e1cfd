import { expect, test } from "vitest";
import { traceFromText } from "../testing/trace-from-text.ts";
import { selfTimes } from "./self-time.ts";
import { describeSpans } from "./span-facts.ts";
import { assembleTraces } from "./trace-assembly.ts";

/** Self times in columns, in the order of the lines. */
function selfOf(picture: string): number[] {
  const spans = traceFromText(picture);
  return Array.from(selfTimes(assembleTraces(spans, describeSpans(spans))), (ns) => ns / 1000);
}

test.each([
  [
    "children one after another, and what is left between them",
    `
    shop order   |---------|    server
      shop a      |--|
      shop b           |-|`,
    [10 - 3 - 2, 3, 2],
  ],
  [
    "overlapping children count once, one inside another not at all",
    `
    shop order   |---------|    server
      shop a      |----|
      shop b        |----|
      shop c         |-|`,
    [10 - 7, 5, 5, 2],
  ],
  [
    "a child that outlives its parent is cut; one that begins later takes nothing",
    `
    shop order   |----|         server
      shop a        |-----|
      shop b           |--|`,
    [3, 6, 3],
  ],
  [
    "transit: the CLIENT span without its SERVER child",
    `
    shop call   |--------|      client
      cart get     |---|        server`,
    [5, 4],
  ],
  [
    "nobody waits for a message to be handled",
    `
    shop send   |------|        producer
      mail job    |--|          consumer`,
    [7, 3],
  ],
])("%s", (_, picture, expected) => {
  expect(selfOf(picture)).toEqual(expected);
});
