import { expect, test } from "vitest";
import { STATEMENT_COUNTERS, type StatementRow } from "./read-statements.ts";
import { type StatementDelta, statementDeltas } from "./statement-deltas.ts";

/** "id calls seconds", with 10 rows for each call; other counters are unknown. "id@role": of a role; "id@role@since". */
function rows(...texts: readonly string[]): StatementRow[] {
  return texts.map((text) => {
    const [name = "", calls, time] = text.split(" ");
    const [queryId = "", entry = "", since = ""] = name.split("@");
    const known: Record<string, number> = { calls: Number(calls), time: Number(time), rows: 10 * Number(calls) };
    const counters = Float64Array.from(STATEMENT_COUNTERS, ({ metric }) => known[metric] ?? Number.NaN);
    return { queryId, entry, since, counters };
  });
}

/** The same the other way round. */
function texts(deltas: readonly (StatementDelta | undefined)[]): string[] {
  const at = (name: string): number => STATEMENT_COUNTERS.findIndex(({ metric }) => metric === name);
  return deltas.map((delta) =>
    delta === undefined
      ? "none"
      : `${delta.queryId} ${delta.counters[at("calls")]} ${delta.counters[at("time")]} ${delta.counters[at("rows")]}`,
  );
}

test("what was added since, most time first, and the others as one", () => {
  const before = rows("a 10 1", "b 5 50", "c 7 7", "d 1 1");
  const now = rows("a 12 4", "b 6 51", "c 7 7", "d 4 3");
  const { top, rest, summed, hidden, reset } = statementDeltas(before, now, 1);
  expect(texts(top)).toEqual(["a 2 3 20"]);
  // b: 1 call in 1 s, d: 3 in 2 s; c did nothing.
  expect(texts([rest])).toEqual([" 4 3 40"]);
  expect([summed, hidden, reset]).toEqual([2, undefined, 0]);
});

test("new statements and those that counted from zero again bring all that they count", () => {
  const { top, reset } = statementDeltas(rows("a 10 9", "gone 3 3"), rows("a 2 1", "new 5 2"), 9);
  expect(texts(top)).toEqual(["new 5 2 50", "a 2 1 20"]);
  expect(reset).toBe(1);
});

test("hidden statements are one row, in no sum with the others; unknown counters stay unknown", () => {
  const { top, rest, hidden } = statementDeltas(rows(" 10 10"), rows(" 13 12", "a 1 1"), 9);
  expect(texts([hidden])).toEqual([" 3 2 30"]);
  expect(rest).toBeUndefined();
  expect(top[0]!.counters.at(-1)).toBeNaN();
});

test("a statement of several roles is one; what the server forgets of one of them adds nothing", () => {
  const before = rows("a@web 1000000 9000", "a@batch 10 1", "b@web 1 1", "b@batch 1 1");
  const { top, reset } = statementDeltas(before, rows("a@web 1000005 9002", "b@web 3 2", "b@batch 5 5"), 9);
  // b: 2 + 4 calls in 1 + 4 s. Summed before they are compared, a would have 1,000,005 calls: fewer than 1,000,010.
  expect(texts(top)).toEqual(["b 6 5 60", "a 5 2 50"]);
  expect(reset).toBe(0);
});

test("a row that was forgotten and counts from another time on is new, also where it counts more than before", () => {
  const { top, reset } = statementDeltas(rows("a@web@100 3 1"), rows("a@web@250 7 2"), 9);
  expect(texts(top)).toEqual(["a 7 2 70"]);
  expect(reset).toBe(1);
});

test("of hidden statements that fell nothing is known until the next look", () => {
  const { hidden, reset } = statementDeltas(rows(" 500 60"), rows(" 490 59"), 9);
  expect([hidden, reset]).toEqual([undefined, 1]);
  expect(texts([statementDeltas(rows(" 490 59"), rows(" 495 61"), 9).hidden])).toEqual([" 5 2 50"]);
});

test("statements that a role may see from now on are no new ones", () => {
  // 500 hidden calls are those of b and c: all of them may be seen, or those of b alone.
  const before = rows("a 3 1", " 500 60");
  expect(texts(statementDeltas(before, rows("a 5 2", "b 400 40", "c 102 21"), 9).top)).toEqual(["a 2 1 20"]);
  const some = statementDeltas(before, rows("a 5 2", "b 400 40", " 102 21"), 9);
  expect([texts(some.top), some.hidden]).toEqual([["a 2 1 20"], undefined]);
  // Others that begin meanwhile are new, as long as none is revealed.
  const more = statementDeltas(before, rows("a 5 2", "b 4 9", " 501 61"), 9);
  expect(texts(more.top)).toEqual(["b 4 9 40", "a 2 1 20"]);
});
