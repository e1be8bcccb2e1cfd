import fc from "fast-check";
import { expect, test } from "vitest";
import { anyStacks } from "../testing/random-stacks.ts";
import { plainStacks, stacksFromText } from "../testing/stacks-from-text.ts";
import { interleaveStackTables } from "./interleave-stack-tables.ts";
import { assertStackTable, framesOfStack } from "./stack-table.ts";

test("samples in the order of the runs; what both tables have is one row", () => {
  const first = stacksFromText(`
    main;a 1
    main;b 2
    main;a 5`);
  const second = stacksFromText(`
    main;c 3
    main;b 4`);
  const runs = [
    { table: 0, end: 1 },
    { table: 1, end: 2 },
    { table: 0, end: 3 },
  ];
  const table = interleaveStackTables([first, second], runs, 70);
  assertStackTable(table);
  const names = Array.from(table.samples.stack, (stack) =>
    framesOfStack(table.stacks, stack).map((frame) => table.strings.get(table.frames.function[frame]!)),
  );
  expect(names.map((stack) => stack.join(";"))).toEqual(["main;a", "main;c", "main;b", "main;b", "main;a"]);
  expect(Array.from(table.samples.values[0]!)).toEqual([1, 3, 4, 2, 5]);
  expect([table.frames.rowCount, table.stacks.rowCount, table.threads.rowCount]).toEqual([4, 4, 1]);
  expect(Array.from(table.processes.durationNs)).toEqual([70]);
});

test("one table in any number of runs is itself, but for its labels", () => {
  fc.assert(
    fc.property(anyStacks, fc.array(fc.nat(30)), (table, cuts) => {
      const count = table.samples.rowCount;
      const ends = [...cuts.filter((cut) => cut < count).sort((a, b) => a - b), count];
      const unlabelled = { ...table, samples: { ...table.samples, labelSet: new Int32Array(count) } };
      const runs = ends.map((end) => ({ table: 0, end }));
      const together = interleaveStackTables([unlabelled], runs, -1);
      assertStackTable(together);
      const samplesOf = (plain: unknown): unknown[] => (plain as { samples: unknown[] }).samples;
      // Threads and value types are numbered as they are met: told by their names here.
      const told = (sample: unknown): unknown => {
        const { stack, values, time, thread, process } = sample as Record<"stack" | "values" | "time", unknown> & {
          thread: unknown[];
          process: unknown[];
        };
        return {
          stack,
          time,
          thread: thread.slice(1),
          process: process.slice(1),
          values: (values as number[]).toSorted((a, b) => a - b),
        };
      };
      expect(samplesOf(plainStacks(together)).map(told)).toEqual(samplesOf(plainStacks(unlabelled)).map(told));
    }),
    { numRuns: 60, seed: 3 },
  );
});
