import fc from "fast-check";
import { expect, test } from "vitest";
import { framesOfStack, type StackTable } from "../model/stack-table.ts";
import { anyStacks } from "../testing/random-stacks.ts";
import { foldedLines } from "./write-folded.ts";

const fit = (name: string): string => name.replaceAll(";", ":").replace(/\s+/g, " ").trim() || "[unknown]";

/** Stacks of names by sample, summed in a map of their texts and sorted name by name. */
function foldedPlainly({ samples, stacks, frames, threads, processes, strings, defaultValue }: StackTable): string[] {
  const sums = new Map<string, { names: string[]; sum: number }>();
  for (let row = 0; row < samples.rowCount; row++) {
    const process = strings.get(processes.name[threads.process[samples.thread[row]!]!]!);
    const names = framesOfStack(stacks, samples.stack[row]!).map((frame) => fit(strings.get(frames.function[frame]!)));
    if (process !== "") names.unshift(fit(process).replaceAll(" ", "_"));
    const held = sums.get(names.join(";"));
    const value = samples.values[defaultValue]?.[row] ?? 0;
    if (held === undefined) sums.set(names.join(";"), { names, sum: value });
    else held.sum += value;
  }
  const compare = (a: readonly string[], b: readonly string[]): number => {
    const at = a.findIndex((name, level) => name !== b[level]);
    return at < 0 ? a.length - b.length : b[at] === undefined || a[at]! > b[at] ? 1 : -1;
  };
  return Array.from(sums.values())
    .filter(({ names, sum }) => names.length > 0 && sum !== 0)
    .sort((a, b) => compare(a.names, b.names))
    .map(({ names, sum }) => `${names.join(";")} ${sum}`);
}

/** All samples of the table again, those of each thread in the next one's place: stacks come in several processes. */
function shared(table: StackTable, names: readonly string[]): StackTable {
  const { samples, threads, processes, strings } = table;
  const twice = Array.from({ length: samples.rowCount * 2 }, (_, row) => row % samples.rowCount);
  return {
    ...table,
    processes: { ...processes, name: Int32Array.from(processes.name, (_, i) => strings.intern(names[i]!)) },
    samples: {
      rowCount: twice.length,
      stack: Int32Array.from(twice, (row) => samples.stack[row]!),
      values: samples.values.map((column) => Float64Array.from(twice, (row) => column[row]!)),
      timeOffsetNs: new Float64Array(twice.length),
      thread: Int32Array.from(
        twice,
        (row, i) => (samples.thread[row]! + (i < twice.length / 2 ? 0 : 1)) % threads.rowCount,
      ),
      labelSet: new Int32Array(twice.length),
    },
  };
}

test("folded stacks are the sums by process and names, in the order of their names", () => {
  fc.assert(
    fc.property(
      anyStacks,
      fc.array(fc.constantFrom("", "node", "V8 Worker", "main"), { minLength: 3, maxLength: 3 }),
      (table, names) => {
        const both = shared(table, names);
        expect([...foldedLines(both)]).toEqual(foldedPlainly(both));
      },
    ),
    { numRuns: 100, seed: 3 },
  );
});
