import { buildCallPaths } from "../src/analysis/call-paths.ts";
import { applyChange } from "../src/analysis/interventions.ts";
import { learnProgram } from "../src/analysis/program-model.ts";
import { Random } from "../src/analysis/random.ts";
import { prepareReplay } from "../src/analysis/replay-plan.ts";
import { noEdits, replay } from "../src/analysis/replay.ts";
import { assembleTraces } from "../src/analysis/trace-assembly.ts";
import { plainFacts } from "../src/testing/plain-facts.ts";
import { spansFromRows, type SpanRow } from "../src/testing/spans-from-rows.ts";

/**
 * CPU time per span of learning, preparing and replaying: `npx tsx bench/replay.ts`. Medians over rounds in which
 * both sizes take turns; the last column is the exponent from the small to the big trace (1 = linear).
 */
const ROUNDS = 7;
const SHAPES = [
  { name: "100 spans x 1000 traces", traces: 1000, spans: 100, fanOut: 5 },
  { name: "10,000 spans x 10 traces", traces: 10, spans: 10_000, fanOut: 5 },
  { name: "10,000 children x 10 traces", traces: 10, spans: 10_000, fanOut: 10_000 },
];

const inputs = SHAPES.map((shape) => {
  const forestSpans = spansFromRows(randomRows(shape));
  const forest = assembleTraces(forestSpans, plainFacts(forestSpans));
  return { ...shape, forest, paths: buildCallPaths(forest) };
});
const samples = inputs.map(() => ({ learn: [] as number[], prepare: [] as number[], replay: [] as number[] }));
for (let round = 0; round < ROUNDS; round++) {
  inputs.forEach(({ forest, paths }, i) => {
    const times = samples[i]!;
    const model = measure(times.learn, () => learnProgram(forest, paths));
    const plan = measure(times.prepare, () => prepareReplay(forest, paths, model));
    const edits = noEdits(plan);
    applyChange(plan, edits, { kind: "time", service: "s", operation: "op3", factor: 0.5 }, { seed: 1 });
    measure(times.replay, () => replay(plan, edits));
  });
}
console.log("CPU ns per span".padEnd(30), "learn".padStart(8), "prepare".padStart(8), "replay".padStart(8));
inputs.forEach(({ name, forest }, i) => {
  const cells = [samples[i]!.learn, samples[i]!.prepare, samples[i]!.replay].map((times) =>
    String(Math.round((1000 * median(times)) / forest.rows.length)).padStart(8),
  );
  console.log(name.padEnd(30), ...cells);
});

function measure<T>(into: number[], work: () => T): T {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  into.push(user + system);
  return result;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** Trees of `spans` spans in which each parent calls one after the other, now and then two at once. */
function randomRows(shape: { traces: number; spans: number; fanOut: number }): SpanRow[] {
  const random = new Random(1);
  const rows: SpanRow[] = [];
  for (let trace = 1; trace <= shape.traces; trace++) {
    const base = rows.length;
    rows.push({ trace, id: base + 1, parent: 0, startNs: 0, endNs: 1e12, kind: 2, service: "s", name: "root" });
    for (let i = 0; rows.length < base + shape.spans; i++) {
      const up = rows[base + i]!;
      let at = up.startNs;
      for (let c = 0; c < shape.fanOut && rows.length < base + shape.spans; c++) {
        const length = ((up.endNs - up.startNs) / (shape.fanOut + 2)) * (0.5 + 0.5 * random.uniform());
        rows.push({
          trace,
          id: rows.length + 1,
          parent: up.id,
          startNs: Math.floor(at),
          endNs: Math.floor(at + length),
          kind: 3,
          service: "s",
          name: `op${random.below(6)}`,
        });
        if (random.uniform() < 0.8) at += length;
      }
    }
  }
  return rows;
}
