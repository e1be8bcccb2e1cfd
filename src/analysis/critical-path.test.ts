import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SegmentTable } from "../model/segments.ts";
import type { SpanTable } from "../model/span-table.ts";
import type { TraceForest } from "../model/trace-forest.ts";
import { plainFacts } from "../testing/plain-facts.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { rowOf, traceFromText } from "../testing/trace-from-text.ts";
import { criticalPaths } from "./critical-path.ts";
import { assembleTraces } from "./trace-assembly.ts";

const assemble = (spans: SpanTable): TraceForest => assembleTraces(spans, plainFacts(spans));

/** 10 µs per column: an overlap of one column is more than the clock tolerance. */
const COLUMN_NS = 10_000;
const forestFromText = (picture: string): TraceForest => assemble(traceFromText(picture, { unitNs: COLUMN_NS }));

/** Segments of the first trace as "operation from-to", in columns. */
function pathText(forest: TraceForest, segments: SegmentTable): string {
  const words: string[] = [];
  for (let i = segments.traceStart[0]!; i < segments.traceStart[1]!; i++) {
    const name = forest.spans.strings.get(forest.facts.operation[segments.row[i]!]!);
    words.push(`${name} ${segments.startNs[i]! / COLUMN_NS}-${segments.endNs[i]! / COLUMN_NS}`);
  }
  return words.join(", ");
}

const cases: { name: string; picture: string; longpole: string; jaeger: string }[] = [
  {
    name: "children that touch are both on the path; Jaeger loses the first",
    picture: `
      a    |---------|
        b   |---|
        c       |--|`,
    longpole: "a 0-1, b 1-5, c 5-8, a 8-10",
    jaeger: "a 0-5, c 5-8, a 8-10",
  },
  {
    name: "of parallel children the last finishing counts; another one may precede it",
    picture: `
      a      |----------|
        b     |--|
        c      |---|
        d           |--|`,
    longpole: "a 0-2, c 2-6, a 6-7, d 7-10, a 10-11",
    jaeger: "a 0-2, c 2-6, a 6-7, d 7-10, a 10-11",
  },
  {
    name: "a child and its own children are cut at the end of the parent",
    picture: `
      a      |----|
        b      |------|
          c      |------|`,
    longpole: "a 0-2, b 2-4, c 4-5",
    jaeger: "a 0-2, b 2-4, c 4-5",
  },
  {
    name: "a child that starts too early is cut at the start of the parent",
    picture: `
      a         |-----|
        b     |---|
          c    |-|`,
    longpole: "c 2-3, b 3-4, a 4-8",
    jaeger: "c 2-3, b 3-4, a 4-8",
  },
  {
    name: "a child that begins when its parent has ended is ignored",
    picture: `
      a      |----|
        b     |-|
        c         |--|
          d         |--|`,
    longpole: "a 0-1, b 1-3, a 3-5",
    jaeger: "a 0-1, b 1-3, a 3-5",
  },
  {
    name: "of overflowing children the first started; Jaeger takes the last finishing",
    picture: `
      a      |-----|
        b     |-----|
        c       |-----|`,
    longpole: "a 0-1, b 1-6",
    jaeger: "a 0-3, c 3-6",
  },
  {
    name: "what is sent to a queue is off the path with all below it; for Jaeger the sending too",
    picture: `
      a        |-------|   server
        a send  |-|        producer
          w run   |---|    consumer
            x      |--|
        b           |-|    client`,
    longpole: "a 0-1, send 1-3, a 3-5, b 5-7, a 7-8",
    jaeger: "a 0-5, b 5-7, a 7-8",
  },
  {
    name: "an instant has no time",
    picture: `
      a      |--------|
        b     |--|
        c        |---|
          d      |`,
    longpole: "a 0-1, b 1-4, c 4-8, a 8-9",
    jaeger: "a 0-4, c 4-8, a 8-9",
  },
  {
    name: "of twins the one with the lower id",
    picture: `
      a      |--------|
        b      |--|
        c      |--|`,
    longpole: "a 0-2, b 2-5, a 5-9",
    jaeger: "a 0-2, b 2-5, a 5-9",
  },
];

describe.each(cases)("$name", ({ picture, longpole, jaeger }) => {
  test("longpole", () => {
    const forest = forestFromText(picture);
    expect(pathText(forest, criticalPaths(forest))).toBe(longpole);
  });
  test("jaeger", () => {
    const forest = forestFromText(picture);
    expect(pathText(forest, criticalPaths(forest, { rule: "jaeger" }))).toBe(jaeger);
  });
});

test("a detached child is off the path", () => {
  const forest = forestFromText(`
    a     |--------|
      log     |-------|
        io     |-----|
      b    |--|  `);
  const detached = new Uint8Array(4);
  detached[rowOf(forest.spans, "log")] = 1;
  expect(pathText(forest, criticalPaths(forest))).toBe("a 0-1, b 1-4, log 4-5, io 5-9");
  expect(pathText(forest, criticalPaths(forest, { detached }))).toBe("a 0-1, b 1-4, a 4-9");
});

describe("siblings that overlap a little", () => {
  /** a 0..10,000 µs; b ends `overlapUs` after c starts. */
  const path = (overlapUs: number, more: SpanRow[] = []): [number, number][] => {
    const row = (id: number, startUs: number, endUs: number): SpanRow => ({
      trace: 1,
      id,
      parent: id === 1 ? 0 : 1,
      startNs: startUs * 1000,
      endNs: endUs * 1000,
    });
    const rows = [row(1, 0, 10_000), row(2, 1000, 5000), row(3, 5000 - overlapUs, 9000), ...more];
    const segments = criticalPaths(assemble(spansFromRows(rows)));
    return Array.from(segments.row, (r, i) => [r, (segments.endNs[i]! - segments.startNs[i]!) / 1000]);
  };
  const inOrder = (overlapUs: number): [number, number][] => [
    [0, 1000],
    [1, 4000 - overlapUs],
    [2, 4000 + overlapUs],
    [0, 1000],
  ];
  const parallel = (overlapUs: number): [number, number][] => [
    [0, 5000 - overlapUs],
    [2, 4000 + overlapUs],
    [0, 1000],
  ];

  test("within the granularity of the clock they are in order", () => expect(path(1)).toEqual(inOrder(1)));
  test("below 1 % of the parent too", () => expect(path(99)).toEqual(inOrder(99)));
  test("at 1 % they are parallel", () => expect(path(100)).toEqual(parallel(100)));
  test("with a third sibling's start in the overlap they are parallel", () => {
    const third: SpanRow = { trace: 1, id: 4, parent: 1, startNs: 4_950_000, endNs: 6_000_000 };
    expect(path(99, [third])).toEqual(parallel(99));
  });
  test("with a third sibling's end in the overlap the third may precede, the second not", () => {
    const third: SpanRow = { trace: 1, id: 4, parent: 1, startNs: 2_000_000, endNs: 4_950_000 };
    expect(path(99, [third])).toEqual([
      [0, 2000],
      [3, 2901],
      [2, 4099],
      [0, 1000],
    ]);
  });
});

/**
 * Random traces: a parent per span among the earlier ones, times on a coarse grid so that ends and starts meet often.
 * Some children overflow their parent on either side.
 */
const randomTrace: fc.Arbitrary<SpanRow[]> = fc
  .array(fc.record({ up: fc.nat(), from: fc.nat(40), length: fc.nat(30), fine: fc.nat(3) }), {
    minLength: 1,
    maxLength: 40,
  })
  .map((raw) => {
    const rows: SpanRow[] = [{ trace: 1, id: 1, parent: 0, startNs: 0, endNs: 40 * GRID_NS }];
    raw.forEach(({ up, from, length, fine }, i) => {
      const parent = rows[up % rows.length]!;
      // Steps of 700 ns beside the grid: within the tolerance for one step, beyond for two.
      const startNs = parent.startNs + (from - 4) * (GRID_NS / 2) + fine * 700;
      rows.push({ trace: 1, id: i + 2, parent: parent.id, startNs, endNs: startNs + length * (GRID_NS / 2) });
    });
    return rows;
  });
const GRID_NS = 5000;

describe("laws", () => {
  test.each(["longpole", "jaeger"] as const)("%s: segments are disjoint, ascending and cover the root", (rule) => {
    fc.assert(
      fc.property(randomTrace, (rows) => {
        const forest = assemble(spansFromRows(rows));
        const segments = criticalPaths(forest, { rule });
        let at = 0;
        for (let i = 0; i < segments.row.length; i++) {
          const row = segments.row[i]!;
          expect(segments.startNs[i]).toBe(at);
          expect(segments.endNs[i]).toBeGreaterThan(at);
          expect(segments.startNs[i]).toBeGreaterThanOrEqual(forest.startNs[row]!);
          expect(segments.endNs[i]).toBeLessThanOrEqual(forest.endNs[row]!);
          expect(i === 0 || row !== segments.row[i - 1]).toBe(true);
          at = segments.endNs[i]!;
        }
        expect(at).toBe(forest.endNs[forest.root[0]!]);
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  test.each(["longpole", "jaeger"] as const)("%s: the order of the input does not matter", (rule) => {
    fc.assert(
      fc.property(randomTrace, fc.infiniteStream(fc.nat()), (rows, picks) => {
        const shuffled = rows
          .map((row) => ({ row, key: picks.next().value as number }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ row }) => row);
        const byId = (input: SpanRow[]): [number, number, number][] => {
          const segments = criticalPaths(assemble(spansFromRows(input)), { rule });
          return Array.from(segments.row, (row, i) => [input[row]!.id, segments.startNs[i]!, segments.endNs[i]!]);
        };
        expect(byId(shuffled)).toEqual(byId(rows));
      }),
      { numRuns: 300, seed: 2 },
    );
  });

  test("longpole: agrees with a search over all children at every step", () => {
    fc.assert(
      fc.property(randomTrace, (rows) => {
        const segments = criticalPaths(assemble(spansFromRows(rows)));
        const mine = Array.from(segments.row, (row, i) => [rows[row]!.id, segments.startNs[i]!, segments.endNs[i]!]);
        expect(mine).toEqual(searchedPath(rows));
      }),
      { numRuns: 2000, seed: 3 },
    );
  });
});

/** The documented rule, by exhaustive search and recursion: the second method of the test above. */
function searchedPath(rows: SpanRow[]): number[][] {
  const out: number[][] = [];
  const visit = (span: SpanRow, low: number, high: number): void => {
    const children = rows.filter((row) => row.parent === span.id);
    let cursor = high;
    let later: SpanRow | undefined;
    const used = new Set<SpanRow>();
    for (;;) {
      const eligible = children.filter((c) => {
        if (used.has(c) || c.startNs >= cursor || c.endNs <= low || c.endNs === c.startNs) return false;
        if (later === undefined || c.endNs <= cursor + 1000) return true;
        const { startNs: from, endNs: laterEnd } = later;
        if (c.endNs - from >= 0.01 * (span.endNs - span.startNs) || c.startNs >= from) return false;
        const endpoints = children.flatMap((s) => [s.startNs, s.endNs]).filter((x) => x >= from && x <= c.endNs);
        return laterEnd > c.endNs && endpoints.length === 2;
      });
      if (eligible.length === 0 || cursor <= low) break;
      const end = (c: SpanRow): number => (later === undefined ? Math.min(c.endNs, high) : c.endNs);
      eligible.sort((a, b) => end(b) - end(a) || a.startNs - b.startNs || idOrder(a, b));
      const child = eligible[0]!;
      used.add(child);
      const to = Math.min(child.endNs, cursor);
      if (cursor > to) out.push([span.id, to, cursor]);
      cursor = Math.max(child.startNs, low);
      visit(child, cursor, to);
      later = child;
    }
    if (cursor > low) out.push([span.id, low, cursor]);
  };
  visit(rows[0]!, rows[0]!.startNs, rows[0]!.endNs);
  return out.toReversed();
}

/** spansFromRows makes the high word of an id by this multiplication. */
const idOrder = (a: SpanRow, b: SpanRow): number =>
  (Math.imul(a.id, 0x9e3779b1) >>> 0) - (Math.imul(b.id, 0x9e3779b1) >>> 0);

test("a chain 100,000 deep and a parent of 100,000 children", () => {
  const n = 100_000;
  const chain: SpanRow[] = [];
  const fan: SpanRow[] = [{ trace: 2, id: 1, parent: 0, startNs: 0, endNs: n * 10_000 }];
  for (let i = 0; i < n; i++) {
    chain.push({ trace: 1, id: i + 1, parent: i, startNs: i * 10_000, endNs: (2 * n - i) * 10_000 });
    fan.push({ trace: 2, id: i + 2, parent: 1, startNs: i * 10_000, endNs: (i + 1) * 10_000 });
  }
  const deep = criticalPaths(assemble(spansFromRows(chain)));
  expect(deep.row.length).toBe(2 * n - 1);
  const wide = criticalPaths(assemble(spansFromRows(fan)));
  expect(Array.from(wide.row.slice(0, 3))).toEqual([1, 2, 3]);
  expect(wide.row.length).toBe(n);
});

/** Ten traces with known exclusive times, by the authors of CRISP. They are data beside the repository, not in it. */
const CRISP = join(import.meta.dirname, "../../../shared/data/critical-path/crisp");
describe.runIf(existsSync(CRISP))("CRISP's fixtures (../shared/data/critical-path/crisp, skipped where absent)", () => {
  const files = existsSync(CRISP) ? readdirSync(CRISP).filter((name) => name.endsWith(".json")) : [];
  test.each(files)("%s: at most a fiftieth of the time is elsewhere", (name) => {
    const file = JSON.parse(readFileSync(join(CRISP, name), "utf8")) as JaegerFile;
    const trace = file.data[0]!;
    const idOf = new Map(trace.spans.map((span, i) => [span.spanID, i + 1]));
    const rows = trace.spans.map((span): SpanRow => ({
      trace: 1,
      id: idOf.get(span.spanID)!,
      parent: idOf.get(span.references[0]?.spanID ?? "") ?? 0,
      startNs: span.startTime * 1000,
      endNs: (span.startTime + span.duration) * 1000,
      service: trace.processes[span.processID]!.serviceName,
      name: span.operationName,
    }));
    const forest = assemble(spansFromRows(rows));
    const segments = criticalPaths(forest);
    const mine = new Map<string, number>();
    segments.row.forEach((row, i) => {
      const key = `[${rows[row]!.service}] ${rows[row]!.name}`;
      mine.set(key, (mine.get(key) ?? 0) + (segments.endNs[i]! - segments.startNs[i]!) / 1000);
    });
    const theirs = new Map(Object.entries(file.testing[0]!));
    // Every misplaced microsecond is missing under one key and surplus under another.
    let apart = 0;
    for (const key of new Set([...mine.keys(), ...theirs.keys()])) {
      apart += Math.abs((mine.get(key) ?? 0) - (theirs.get(key) ?? 0)) / 2;
    }
    expect(apart).toBeLessThanOrEqual(0.02 * trace.spans[0]!.duration);
  });
});

interface JaegerFile {
  data: {
    processes: Record<string, { serviceName: string }>;
    spans: {
      spanID: string;
      operationName: string;
      references: { spanID: string }[];
      startTime: number;
      duration: number;
      processID: string;
    }[];
  }[];
  testing: Record<string, number>[];
}
