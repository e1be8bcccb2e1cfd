import fc from "fast-check";
import { expect, test } from "vitest";
import type { SpanTable } from "../model/span-table.ts";
import type { CallPaths } from "../model/call-paths.ts";
import type { TraceForest } from "../model/trace-forest.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import { buildCallPaths } from "./call-paths.ts";
import { describeSpans } from "./span-facts.ts";
import { assembleTraces } from "./trace-assembly.ts";

function merged(spans: SpanTable): { forest: TraceForest; paths: CallPaths; names: string[] } {
  const forest = assembleTraces(spans, describeSpans(spans));
  const paths = buildCallPaths(forest);
  const text = (id: number): string => (id < 0 ? "" : spans.strings.get(id));
  const names = Array.from({ length: paths.nodeCount }, (_, node) => {
    const up = paths.parent[node]!;
    return [
      up < 0 ? "-" : text(paths.operation[up]!),
      text(paths.operation[node]!),
      text(paths.callee[node]!),
      text(paths.statement[node]!),
    ].join("|");
  });
  return { forest, paths, names };
}

test("the same chain is one node, over calls and traces; callee and statement tell apart what is named alike", () => {
  const { paths, names } = merged(
    traceFromText(`
      shop GET /     |------------|   server
        shop query     |-|            client db.system=postgresql db.namespace=main db.statement="SELECT a FROM t WHERE id = 1"
        shop query        |-|         client db.system=postgresql db.namespace=main db.statement="SELECT a FROM t WHERE id = 2"
        shop query           |-|      client db.system=postgresql db.namespace=main db.statement="SELECT b FROM u"

      shop GET /     |------------|   server
        shop query     |-|            client db.system=postgresql db.namespace=other db.statement="SELECT a FROM t WHERE id = 3"
        shop query           |-|      client db.system=postgresql db.namespace=main db.statement="SELECT a FROM t WHERE id = 4"`),
  );
  expect(names.toSorted()).toEqual([
    "-|GET /||",
    "GET /|query|main|SELECT a FROM t WHERE id = ?",
    "GET /|query|main|SELECT b FROM u",
    "GET /|query|other|SELECT a FROM t WHERE id = ?",
  ]);
  const nodes = Array.from(paths.nodeOfRow);
  expect([nodes[1], nodes[2], nodes[6]]).toEqual([nodes[1], nodes[1], nodes[1]]);
});

test("rows share a node exactly when their chains read alike", () => {
  const span = fc.record({ parent: fc.nat(), name: fc.nat({ max: 2 }), service: fc.nat({ max: 1 }) });
  fc.assert(
    fc.property(fc.array(fc.array(span, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 4 }), (traces) => {
      const rows = traces.flatMap((spans, trace) =>
        spans.map(({ parent, name, service }, i): SpanRow => ({
          trace: trace + 1,
          id: i + 1,
          parent: i === 0 ? 0 : (parent % i) + 1,
          startNs: 0,
          endNs: 1000,
          name: `op ${"abc"[name]}`,
          service: `s${"xy"[service]}`,
        })),
      );
      const { forest, paths } = merged(spansFromRows(rows));
      const chain = rows.map(() => "");
      const at = new Map(rows.map((row, i) => [`${row.trace} ${row.id}`, i]));
      const nodeOfChain = new Map<string, number>();
      rows.forEach((row, i) => {
        const up = row.parent === 0 ? "" : chain[at.get(`${row.trace} ${row.parent}`)!]!;
        chain[i] = `${up}/${row.service} ${row.name}`;
        const node = paths.nodeOfRow[i]!;
        expect(nodeOfChain.get(chain[i]) ?? node).toBe(node);
        nodeOfChain.set(chain[i], node);
        expect(paths.parent[node]).toBe(forest.parent[i]! < 0 ? -1 : paths.nodeOfRow[forest.parent[i]!]);
        expect(paths.parent[node]!).toBeLessThan(node);
      });
      expect(new Set(nodeOfChain.values()).size).toBe(nodeOfChain.size);
      expect(paths.nodeCount).toBe(nodeOfChain.size);
    }),
    { seed: 12, numRuns: 200 },
  );
});

test("recursion 100,000 deep makes some hundred nodes", () => {
  const rows = Array.from({ length: 100_000 }, (_, i): SpanRow => ({
    trace: 1,
    id: i + 1,
    parent: i,
    startNs: i,
    endNs: 200_000 - i,
    name: "again",
  }));
  const { paths } = merged(spansFromRows(rows));
  // depths 0 to 200; what is deeper becomes a sibling at the last depth
  expect(paths.nodeCount).toBe(201);
  expect(paths.nodeOfRow[99_999]).toBe(200);
});
