/**
 * Cost of the critical path: `npx tsx bench/critical-path.ts`.
 *
 * Per shape, CPU time (user + system, no wall clock) of criticalPaths on an assembled forest, interleaved round by
 * round with a baseline: the plain way on objects, a list of children filtered and sorted per span and searched
 * from its beginning at every step, as Jaeger UI does it, but with a stack in place of its recursion.
 * The best of the rounds counts: on a shared machine the others measure the neighbours.
 */
import { describeSpans } from "../src/analysis/span-facts.ts";
import { criticalPaths } from "../src/analysis/critical-path.ts";
import { Random } from "../src/analysis/random.ts";
import { assembleTraces } from "../src/analysis/trace-assembly.ts";
import type { TraceForest } from "../src/model/trace-forest.ts";
import { spansFromRows, type SpanRow } from "../src/testing/spans-from-rows.ts";

const US = 1000;

/** Requests as services make them: a span has 1..8 calls, one after the other or, every third time, at once. */
function request(trace: number, size: number, random: Random, rows: SpanRow[]): void {
  const first = rows.length;
  rows.push({ trace, id: 1, parent: 0, startNs: 0, endNs: size * 1000 * US });
  for (let at = first; rows.length - first < size; at++) {
    const parent = rows[at]!;
    const calls = Math.min(1 + (random.uint32() % 8), size - (rows.length - first));
    const parallel = random.uint32() % 3 === 0;
    const length = parent.endNs - parent.startNs;
    for (let i = 0; i < calls; i++) {
      const id = rows.length - first + 1;
      const slot = parallel ? length * 0.9 : (length * 0.9) / calls;
      const startNs = Math.round(parent.startNs + length * 0.05 + (parallel ? 0 : i * slot));
      const endNs = startNs + Math.round(slot * (0.5 + (random.uint32() % 500) / 1000));
      rows.push({ trace, id, parent: parent.id, startNs, endNs });
    }
  }
}

/** One parent, all spans its children: in order where `parallel` is 1, else that many at a time. */
function fan(size: number, parallel: number): SpanRow[] {
  const rows: SpanRow[] = [{ trace: 1, id: 1, parent: 0, startNs: 0, endNs: size * 10 * US }];
  for (let i = 0; i < size - 1; i++) {
    const startNs = i * 10 * US;
    rows.push({ trace: 1, id: i + 2, parent: 1, startNs, endNs: startNs + 10 * parallel * US - 2 * US });
  }
  return rows;
}

function chain(depth: number): SpanRow[] {
  return Array.from({ length: depth }, (_, i): SpanRow => {
    return { trace: 1, id: i + 1, parent: i, startNs: i * 10 * US, endNs: (2 * depth - i) * 10 * US };
  });
}

function requests(traces: number, size: number): SpanRow[] {
  const random = new Random(11);
  const rows: SpanRow[] = [];
  for (let t = 1; t <= traces; t++) request(t, size, random, rows);
  return rows;
}

const copies = (traces: number, rows: SpanRow[]): SpanRow[] =>
  Array.from({ length: traces }, (_, t) => rows.map((row) => ({ ...row, trace: t + 1 }))).flat();

interface PlainNode {
  readonly start: number;
  readonly end: number;
  readonly row: number;
  children: PlainNode[];
}

/** The baseline; loading into objects is not timed, as assembling the forest is not. */
function plainTrees(forest: TraceForest): PlainNode[] {
  const nodes = Array.from(forest.startNs, (start, row): PlainNode => ({
    start,
    end: forest.endNs[row]!,
    row,
    children: [],
  }));
  for (const row of forest.rows) if (forest.parent[row]! >= 0) nodes[forest.parent[row]!]!.children.push(nodes[row]!);
  return Array.from(forest.root, (row) => nodes[row]!);
}

function plainPaths(roots: readonly PlainNode[]): number {
  let total = 0;
  for (const root of roots) {
    const sections: { row: number; start: number; end: number }[] = [];
    const stack: { node: PlainNode; cursor: number; sorted: PlainNode[]; low: number }[] = [];
    const open = (node: PlainNode, low: number, high: number): void => {
      const sorted = node.children
        .filter((child) => child.start < high && child.end > low)
        .sort((a, b) => b.end - a.end);
      stack.push({ node, cursor: high, sorted, low });
    };
    open(root, root.start, root.end);
    while (stack.length > 0) {
      const frame = stack.at(-1)!;
      const next = frame.sorted.find(
        (child) =>
          Math.min(child.end, frame.cursor) <= frame.cursor &&
          child.start < frame.cursor &&
          (frame.cursor === frame.node.end || child.end <= frame.cursor),
      );
      if (next === undefined || frame.cursor <= frame.low) {
        if (frame.cursor > frame.low) sections.push({ row: frame.node.row, start: frame.low, end: frame.cursor });
        stack.pop();
        continue;
      }
      const end = Math.min(next.end, frame.cursor);
      if (frame.cursor > end) sections.push({ row: frame.node.row, start: end, end: frame.cursor });
      frame.cursor = Math.max(next.start, frame.low);
      open(next, frame.cursor, end);
    }
    total += sections.length;
  }
  return total;
}

const cpuMs = (work: () => unknown): number => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};

interface Result {
  readonly assembleMs: number;
  readonly ourMs: number;
  /** undefined where the baseline would take minutes */
  readonly plainMs: number | undefined;
  readonly segments: number;
  readonly repeats: number;
}

/** Short runs are repeated within a measurement: CPU time comes in steps of up to 4 ms. */
function measure(rows: SpanRow[], options: { rounds: number; plain: boolean; repeats: number }): Result {
  const spans = spansFromRows(rows);
  const facts = describeSpans(spans);
  let forest!: TraceForest;
  const assembleMs = Math.min(...Array.from({ length: 3 }, () => cpuMs(() => (forest = assembleTraces(spans, facts)))));
  const trees = options.plain ? plainTrees(forest) : [];
  let ourMs = Infinity;
  let plainMs = Infinity;
  let segments = 0;
  for (let round = 0; round < options.rounds; round++) {
    ourMs = Math.min(
      ourMs,
      cpuMs(() => {
        for (let i = 0; i < options.repeats; i++) segments = criticalPaths(forest).row.length;
      }) / options.repeats,
    );
    if (options.plain)
      plainMs = Math.min(
        plainMs,
        cpuMs(() => plainPaths(trees)),
      );
  }
  return { assembleMs, ourMs, plainMs: options.plain ? plainMs : undefined, segments, repeats: options.repeats };
}

/** Slope of log y over log x by least squares. */
function exponent(points: readonly { x: number; y: number }[]): number {
  const xs = points.map(({ x }) => Math.log(x));
  const ys = points.map(({ y }) => Math.log(y));
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(xs), mean(ys)];
  const cov = xs.reduce((sum, x, i) => sum + (x - mx) * (ys[i]! - my), 0);
  return cov / xs.reduce((sum, x) => sum + (x - mx) ** 2, 0);
}

const line = (...cells: string[]): void =>
  console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(40) : cell.padStart(14))).join(""));
const perHundred = (ms: number | undefined, spans: number): string =>
  ms === undefined ? "-" : ((ms * 1000) / (spans / 100)).toFixed(2);

line("shape", "spans", "µs/100 spans", "baseline", "ratio", "segments", "assembly ms");
function report(name: string, rows: SpanRow[], options: { rounds: number; plain: boolean; repeats: number }): Result {
  const result = measure(rows, options);
  const ratio = result.plainMs === undefined ? "-" : (result.plainMs / result.ourMs).toFixed(1);
  const n = rows.length;
  line(
    name,
    String(n),
    perHundred(result.ourMs, n),
    perHundred(result.plainMs, n),
    ratio,
    String(result.segments),
    result.assembleMs.toFixed(0),
  );
  return result;
}

report("1,000 requests of 100", requests(1000, 100), { rounds: 9, plain: true, repeats: 20 });
report("10,000 requests of 100", requests(10_000, 100), { rounds: 3, plain: true, repeats: 2 });

const sizes = [100, 1000, 10_000, 100_000];
for (const [name, make] of [
  ["requests", (traces: number, size: number) => requests(traces, size)],
  ["fans, one after the other,", (traces: number, size: number) => copies(traces, fan(size, 1))],
  ["fans, 50 at a time,", (traces: number, size: number) => copies(traces, fan(size, 50))],
  ["chains", (traces: number, size: number) => copies(traces, chain(size))],
] as const) {
  // As many spans at every size, so that what a call costs once does not flatter the exponent.
  const points = sizes.map((size) => {
    const traces = 100_000 / size;
    const plain = size <= 10_000 || name === "requests";
    const result = report(`${traces} ${name} of ${size}`, make(traces, size), { rounds: 5, plain, repeats: 10 });
    return { x: size, y: result.ourMs / traces };
  });
  console.log(`  scaling exponent ${exponent(points).toFixed(2)} (goal <= 1.1)`);
}

const million = report("one request of 1,000,000", requests(1, 1_000_000), { rounds: 2, plain: false, repeats: 1 });
console.log(
  `  ${(million.ourMs / 1000).toFixed(2)} s of CPU, ${((million.ourMs + million.assembleMs) / 1000).toFixed(2)} s with assembly (goal <= 2)`,
);
const wide = report("fan of 1,000,000", fan(1_000_000, 1), { rounds: 2, plain: false, repeats: 1 });
console.log(
  `  ${(wide.ourMs / 1000).toFixed(2)} s of CPU, ${((wide.ourMs + wide.assembleMs) / 1000).toFixed(2)} s with assembly (goal <= 2)`,
);
