import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SpanKind, type SpanTable } from "../model/span-table.ts";
import { assertTraceForest, SpanFlag, type TraceForest } from "../model/trace-forest.ts";
import { plainFacts } from "../testing/plain-facts.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import { assembleTraces } from "./trace-assembly.ts";

const assemble = (spans: SpanTable): TraceForest => {
  const forest = assembleTraces(spans, plainFacts(spans));
  assertTraceForest(forest);
  return forest;
};

/** "operation<parent" for every span of the forest, by row. */
const family = (forest: TraceForest): string =>
  [...forest.rows]
    .toSorted((a, b) => a - b)
    .map((row) => {
      const name = (r: number): string => (r < 0 ? "-" : forest.spans.strings.get(forest.spans.name[r]!));
      return `${name(row)}<${name(forest.parent[row]!)}`;
    })
    .join(" ");
const flagged = (forest: TraceForest, flag: number): number[] =>
  [...forest.flags.keys()].filter((row) => (forest.flags[row]! & flag) !== 0);

describe("parents", () => {
  test("two traces, children by start", () => {
    const forest = assemble(
      traceFromText(`
      a    |--------|
        c       |-|
        b   |--|
          d  |-|

      x  |--|
        y  |--|  `),
    );
    expect(family(forest)).toBe("a<- c<a b<a d<b x<- y<x");
    expect([...forest.traceStart]).toEqual([0, 4, 6]);
    expect([...forest.root]).toEqual([0, 4]);
    expect([...forest.child.subarray(forest.childStart[0]!, forest.childStart[1]!)]).toEqual([2, 1]);
    expect([...forest.complete]).toEqual([1, 1]);
    expect([...forest.weight]).toEqual([1, 1]);
    expect(forest.quality).toMatchObject({ spans: 6, traces: 2, incompleteTraces: 0 });
  });

  test("the same span id in another trace is another span", () => {
    const rows: SpanRow[] = [1, 2].flatMap((trace) => [
      { trace, id: 1, parent: 0, startNs: 0, endNs: 10 },
      { trace, id: 2, parent: 1, startNs: 0, endNs: 10 },
    ]);
    expect([...assemble(spansFromRows(rows)).parent]).toEqual([-1, 0, -1, 2]);
  });

  test("an orphan keeps its children; the trace is incomplete, its root the parentless span", () => {
    const forest = assemble(
      traceFromText(`
      a  |----|
      b   |------| parent=lost
        c  |-|`),
    );
    expect(family(forest)).toBe("a<- b<- c<b");
    expect(flagged(forest, SpanFlag.orphan)).toEqual([1]);
    expect([...forest.root]).toEqual([0]);
    expect([...forest.complete]).toEqual([0]);
    expect(forest.quality).toMatchObject({ orphanSpans: 1, incompleteTraces: 1 });
  });

  test("of several roots the longest, of equal ones the earliest", () => {
    const forest = assemble(
      traceFromText(`
      a  |----|
      b        |------|
      c   |------|`),
    );
    expect([...forest.root]).toEqual([2]);
    expect([...forest.complete]).toEqual([0]);
  });

  test("duplicates: the first of a kind stays", () => {
    const forest = assemble(
      traceFromText(`
      a    |-----|
        b   |--|   id=b
        c   |---|  id=b
        d    |-|   parent=b`),
    );
    expect(family(forest)).toBe("a<- b<a d<b");
    expect(flagged(forest, SpanFlag.duplicate)).toEqual([2]);
    expect(forest.trace[2]).toBe(-1);
    expect([...forest.complete]).toEqual([1]);
    expect(forest.quality.duplicateSpans).toBe(1);
  });

  // Zipkin's B3 propagation: caller and callee report under one id, with the same parent id.
  test.each(["client first", "server first"])("a shared span falls into its halves, %s", (order) => {
    const lines = [
      "front call         |------|     client id=s parent=root",
      "back serve          |----|      server id=s parent=root",
    ];
    const forest = assemble(
      traceFromText(`
      front root         |--------|   server id=root
      ${order === "client first" ? lines.join("\n      ") : lines.toReversed().join("\n      ")}
      back query           |-|        client parent=s
      front retry        |-|          parent=s
      other answer         |-|        server parent=s`),
    );
    const expected = ["call<root", "serve<call"];
    if (order !== "client first") expected.reverse();
    expect(family(forest)).toBe(`root<- ${expected.join(" ")} query<serve retry<call answer<serve`);
    expect(forest.quality).toMatchObject({ sharedSpans: 1, duplicateSpans: 0, incompleteTraces: 0 });
  });

  test("a third span under a shared id is a duplicate", () => {
    const forest = assemble(
      traceFromText(`
      a  |-----|  client id=s
      b   |---|   server id=s
      b   |---|   server id=s`),
    );
    expect(forest.quality).toMatchObject({ sharedSpans: 1, duplicateSpans: 1 });
    expect([...forest.parent]).toEqual([-1, 0, -1]);
  });

  test("self-parents and cycles are cut above their earliest span", () => {
    const forest = assemble(
      traceFromText(`
      a  |----------|
      b   |--|  id=b parent=b
      c     |--|  id=c parent=e
      d    |--|   id=d parent=c
      e      |--| id=e parent=d
      f       |-| parent=e`),
    );
    expect(family(forest)).toBe("a<- b<- c<e d<- e<d f<e");
    expect(flagged(forest, SpanFlag.cycleCut)).toEqual([1, 3]);
    expect(forest.quality.cyclesCut).toBe(2);
    expect([...forest.root]).toEqual([0]);
    expect([...forest.complete]).toEqual([0]);
  });
});

test("negative, zero and absurd durations", () => {
  const spans = traceFromText(
    `
    a  |--------|
      b    <--|
      c   |
      d  |-------|`,
    { unitNs: 86_400e9 / 8 },
  );
  const forest = assemble(spans);
  expect(flagged(forest, SpanFlag.negativeDuration)).toEqual([1]);
  expect(flagged(forest, SpanFlag.zeroDuration)).toEqual([2]);
  // a takes nine columns; d takes eight, which is a day exactly.
  expect(flagged(forest, SpanFlag.absurdDuration)).toEqual([0]);
  expect(forest.endNs[1]).toBe(forest.startNs[1]);
  expect(spans.endOffsetNs[1]).toBeLessThan(spans.startOffsetNs[1]!);
  expect([...forest.complete]).toEqual([0]);
  expect(forest.quality).toMatchObject({ negativeDurations: 1, zeroDurations: 1, absurdDurations: 1 });
});

test("asynchronous edges", () => {
  const forest = assemble(
    traceFromText(`
    shop order     |----------|      server
      shop send     |-|              producer
        work job      |--|           consumer
        work hook     |--|           server
        shop local     |-|           consumer
        shop log       |-|
      work direct     |-|            consumer
      shop receive    |---|          consumer
        shop process   |-|           consumer
      shop fire       |-|            id=f link=f
      shop call       |-|            client id=call
        work late     |-|            server link=call`),
  );
  const names = flagged(forest, SpanFlag.asynchronous).map((row) => forest.spans.strings.get(forest.spans.name[row]!));
  expect(names).toEqual(["job", "hook", "local", "direct", "late"]);
});

describe("laws", () => {
  /** Arbitrary ids and parents: duplicates, orphans, cycles and shared spans all occur. */
  const anySpans = fc.array(
    fc.record({
      trace: fc.integer({ min: 1, max: 3 }),
      id: fc.integer({ min: 1, max: 12 }),
      parent: fc.nat(14),
      startNs: fc.integer({ min: -50, max: 50 }),
      endNs: fc.integer({ min: -50, max: 50 }),
      kind: fc.constantFrom(SpanKind.internal, SpanKind.client, SpanKind.server),
    }),
    { minLength: 1, maxLength: 40 },
  );

  test("the forest's invariants hold and every span is accounted for", () => {
    fc.assert(
      fc.property(anySpans, (rows) => {
        const forest = assemble(spansFromRows(rows));
        expect(forest.rows.length + forest.quality.duplicateSpans).toBe(rows.length);
        expect(forest.traceCount).toBe(new Set(rows.map((row) => row.trace)).size);
        const tops = [...forest.rows].filter((row) => forest.parent[row]! < 0);
        const explained = tops.filter(
          (row) => rows[row]!.parent === 0 || (forest.flags[row]! & (SpanFlag.orphan | SpanFlag.cycleCut)) !== 0,
        );
        expect(explained).toEqual(tops);
      }),
      { numRuns: 1000, seed: 4 },
    );
  });

  test("a chain against the order of rows, 100,000 deep", () => {
    const n = 100_000;
    const rows = Array.from({ length: n }, (_, i): SpanRow => ({
      trace: 1,
      id: n - i,
      parent: n - i - 1,
      startNs: n - i,
      endNs: 3 * n,
    }));
    const forest = assemble(spansFromRows(rows));
    expect(forest.root[0]).toBe(n - 1);
    expect(forest.rows[0]).toBe(n - 1);
    expect(forest.rows[n - 1]).toBe(0);
  });
});
