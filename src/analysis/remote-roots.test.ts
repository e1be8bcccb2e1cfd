import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SpanKind } from "../model/span-table.ts";
import { assertTraceForest, type TraceForest } from "../model/trace-forest.ts";
import { plainFacts } from "../testing/plain-facts.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { assembleTraces } from "./trace-assembly.ts";

function assemble(rows: readonly SpanRow[]): TraceForest {
  const spans = spansFromRows(rows);
  const forest = assembleTraces(spans, plainFacts(spans));
  assertTraceForest(forest);
  return forest;
}

/** A request that "orders" answers, with a query; `caller` is the parent id that its SERVER span names, 0 for none. */
const request = (trace: number, caller: number, kind: number = SpanKind.server): SpanRow[] => [
  { trace, id: 2, parent: caller, startNs: 0, endNs: 100, kind, service: "orders", name: "GET /orders" },
  { trace, id: 3, parent: 2, startNs: 10, endNs: 60, kind: SpanKind.client, service: "orders", name: "SELECT" },
];
const called = (trace: number): SpanRow[] => [
  { trace, id: 9, parent: 0, startNs: 0, endNs: 200, kind: SpanKind.server, service: "edge", name: "GET /" },
  ...request(trace, 9),
];
const times = (n: number, make: (trace: number) => SpanRow[], first = 1): SpanRow[] =>
  Array.from({ length: n }, (_, i) => make(first + i)).flat();
const LOST = 77;

describe("traces whose caller sends no spans", () => {
  test("20 of 20 with a missing parent are complete, and no orphans", () => {
    const forest = assemble(times(20, (trace) => request(trace, LOST)));
    expect([...forest.complete]).toEqual(Array.from({ length: 20 }, () => 1));
    expect(forest.quality).toMatchObject({ remoteRoots: 20, incompleteTraces: 0, orphanSpans: 0 });
  });

  test("19 are too few to tell", () => {
    const forest = assemble(times(19, (trace) => request(trace, LOST)));
    expect(forest.quality).toMatchObject({ remoteRoots: 0, incompleteTraces: 19, orphanSpans: 19 });
  });

  test("a share of 90 % is enough, 89 % is not", () => {
    const mixed = (remote: number): TraceForest =>
      assemble([...times(remote, (trace) => request(trace, LOST)), ...times(100 - remote, called, 1000)]);
    expect(mixed(90).quality).toMatchObject({ remoteRoots: 90, incompleteTraces: 0 });
    expect(mixed(89).quality).toMatchObject({ remoteRoots: 0, incompleteTraces: 89 });
  });

  test("two tops: the caller between them is lost, not outside", () => {
    const both = (trace: number): SpanRow[] => [
      ...request(trace, LOST),
      {
        trace,
        id: 5,
        parent: LOST,
        startNs: 20,
        endNs: 90,
        kind: SpanKind.server,
        service: "stock",
        name: "GET /stock",
      },
    ];
    expect(assemble(times(50, both)).quality).toMatchObject({ remoteRoots: 0, incompleteTraces: 50, orphanSpans: 100 });
  });

  test("a call has its parent in the same process: it was lost", () => {
    const forest = assemble(times(50, (trace) => request(trace, LOST, SpanKind.client)));
    expect(forest.quality).toMatchObject({ remoteRoots: 0, incompleteTraces: 50 });
  });

  test("each operation is judged by itself", () => {
    const forest = assemble([
      ...times(30, (trace) => request(trace, LOST)),
      ...times(
        5,
        (trace) => [
          {
            trace,
            id: 4,
            parent: LOST,
            startNs: 0,
            endNs: 10,
            kind: SpanKind.server,
            service: "users",
            name: "GET /users",
          },
        ],
        500,
      ),
    ]);
    expect(forest.quality).toMatchObject({ remoteRoots: 30, incompleteTraces: 5, orphanSpans: 5 });
  });

  test("parents lost at random stay lost, up to half of them", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 60, maxLength: 120 }), (draws) => {
        const rows = draws.flatMap((draw, trace) => called(trace + 1).filter(({ id }) => id !== 9 || draw >= 50));
        const lost = draws.filter((draw) => draw < 50).length;
        // By chance nearly all may be lost; then they look as if nobody had sent them.
        fc.pre(lost < 0.9 * draws.length);
        expect(assemble(rows).quality).toMatchObject({ remoteRoots: 0, incompleteTraces: lost, orphanSpans: lost });
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  test("the order of the rows does not matter", () => {
    const rows = [...times(95, (trace) => request(trace, LOST)), ...times(5, called, 1000)];
    expect(assemble(rows.toReversed()).quality).toEqual(assemble(rows).quality);
  });
});
