import fc from "fast-check";
import { expect, test } from "vitest";
import { TIME_KINDS } from "../model/time-kind.ts";
import type { TraceForest } from "../model/trace-forest.ts";
import type { SpanTable } from "../model/span-table.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import { blameTraces, kindOfKey, meanBlame, nodeOfKey, type BlameTable } from "./blame.ts";
import { buildCallPaths } from "./call-paths.ts";
import { criticalPaths } from "./critical-path.ts";
import { describeSpans } from "./span-facts.ts";
import { spanTimeKinds } from "./time-kinds.ts";
import { assembleTraces } from "./trace-assembly.ts";

const COLUMN_NS = 10_000;

function blamed(spans: SpanTable): { forest: TraceForest; blame: BlameTable; nameOf: (key: number) => string } {
  const forest = assembleTraces(spans, describeSpans(spans));
  const paths = buildCallPaths(forest);
  const blame = blameTraces(criticalPaths(forest), paths, spanTimeKinds(forest));
  const text = (id: number): string => spans.strings.get(id);
  return {
    forest,
    blame,
    nameOf: (key) => `${text(paths.operation[nodeOfKey(key)]!)} ${TIME_KINDS[kindOfKey(key)]}`,
  };
}

const PICTURE = `
  shop GET       |----------|        server
    shop load     |--|               client db.system=postgresql db.namespace=main
    shop load         |--|           client db.system=postgresql db.namespace=main
    shop call            |-|         client
      cart list          |-|         server

  shop GET       |--|                server
    shop load     |-|                client db.system=postgresql db.namespace=main`;

test("segments of a call path are summed within each trace, and apart between traces", () => {
  const { blame, nameOf } = blamed(traceFromText(PICTURE, { unitNs: COLUMN_NS }));
  const entries = [0, 1].map((trace) => {
    const rows: [string, number][] = [];
    for (let i = blame.traceStart[trace]!; i < blame.traceStart[trace + 1]!; i++) {
      rows.push([nameOf(blame.key[i]!), blame.ns[i]! / COLUMN_NS]);
    }
    return Object.fromEntries(rows);
  });
  // The first: GET 0-1, 4-5, 10-11; loads 1-4, 5-8; the call 8-10 is its callee's all through.
  expect(entries).toEqual([
    { "GET unexplained": 3, "load callee": 6, "list unexplained": 2 },
    { "GET unexplained": 1, "load callee": 2 },
  ]);
});

test("a mean is weighted by how many traces each stands for", () => {
  const { blame, nameOf } = blamed(traceFromText(PICTURE, { unitNs: COLUMN_NS }));
  const means = [...meanBlame(blame, [0, 1], Float64Array.of(3, 1))].map(([key, ns]) => [nameOf(key), ns / COLUMN_NS]);
  // (3 x 6 + 1 x 2) / 4
  expect(Object.fromEntries(means)).toMatchObject({ "load callee": 5 });
  expect(meanBlame(blame, [], Float64Array.of(3, 1))).toEqual(new Map());
});

test("the entries of a trace sum to its root's duration exactly, whatever its spans", () => {
  const span = fc.record({
    parent: fc.nat(),
    startNs: fc.integer({ min: 0, max: 1e6 }),
    lengthNs: fc.integer({ min: 0, max: 1e6 }),
    kind: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(fc.array(span, { minLength: 1, maxLength: 30 }), (drawn) => {
      const rows = drawn.map(({ parent, startNs, lengthNs, kind }, i): SpanRow => ({
        trace: 1,
        id: i + 1,
        parent: i === 0 ? 0 : (parent % i) + 1,
        startNs,
        endNs: startNs + lengthNs,
        kind,
      }));
      const { blame } = blamed(spansFromRows(rows));
      expect(blame.ns.reduce((sum, ns) => sum + ns, 0)).toBe(drawn[0]!.lengthNs);
      expect(new Set(blame.key).size).toBe(blame.key.length);
    }),
    { seed: 11, numRuns: 200 },
  );
});
