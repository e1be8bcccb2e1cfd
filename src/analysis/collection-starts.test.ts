import { expect, test } from "vitest";
import { CollectionStarts } from "./collection-starts.ts";

const [RANK, SEND] = [3, 5];

/** "3 g g 5 -": function 3, two samples of one collection, function 5, idle. */
function starts(...threads: readonly string[]): Map<number, number> {
  const found = new CollectionStarts(threads.length);
  for (const [thread, text] of threads.entries())
    for (const one of text.split(" ")) {
      if (one === "g") found.collected(thread, 1);
      else found.ran(thread, one === "-" ? -1 : Number(one));
    }
  return new Map(found.byFunction());
}
const times = (text: string, count: number): string => Array.from({ length: count }, () => text).join(" ");

test("collections are counted, not their time: one long one names nobody", () => {
  // 9 of 10 begin in 3; the tenth, in 5, takes 91 of the 100 samples.
  const found = starts(`${times("3 g 3", 9)} 5 ${times("g", 91)} 5`);
  expect(found.get(RANK)).toBeCloseTo(90, 9);
  expect(found.get(SEND)).toBeCloseTo(10, 9);
});

test("before and after by half; one alone where the other is idle, nobody where both are", () => {
  expect(starts(times("3 g 5", 10))).toEqual(
    new Map([
      [RANK, 5],
      [SEND, 5],
    ]),
  );
  expect(starts(times("- g 3", 10))).toEqual(new Map([[RANK, 10]]));
  expect(starts(times("- g -", 10))).toEqual(new Map());
  // The half that nobody witnessed is not dealt out to others.
  expect(starts(`${times("3 g 3", 5)} ${times("- g -", 5)}`)).toEqual(new Map([[RANK, 5]]));
});

test("threads do not witness each other's; fewer than ten name nobody", () => {
  expect(starts(times("3 g 3", 5), times("5 g 5", 5))).toEqual(
    new Map([
      [RANK, 5],
      [SEND, 5],
    ]),
  );
  expect(starts(times("3 g 3", 9))).toEqual(new Map());
});
