import { expect, test } from "vitest";
import { StackTableBuilder } from "../model/stack-table-builder.ts";
import { FrameKind, type StackTable } from "../model/stack-table.ts";
import { frameNames, namelessRemarks } from "./frame-names.ts";

/** One sample for each stack; frames as [name, file], the outermost first. */
function tableOf(...stacks: readonly (readonly (readonly [string, string])[])[]): StackTable {
  const builder = new StackTableBuilder();
  const text = (value: string): number => builder.strings.intern(value);
  builder.valueType("on-cpu", "nanoseconds");
  const thread = builder.thread(builder.process({ name: text("node"), pid: 1 }), 1, text("node"));
  for (const frames of stacks) {
    const leaf = frames.reduce(
      (row, [name, file]) => builder.stack(row, builder.frame(text(name), text(file), -1, FrameKind.native)),
      -1,
    );
    builder.setValue(builder.sample(leaf, thread, -1, builder.labelSet([])), 0, 1);
  }
  return builder.finish();
}

const MAIN = ["main", "/usr/bin/node"] as const;
const COMPILED = ["[perf-7.map]", "/tmp/perf-7.map"] as const;
const STRIPPED = ["[libfoo.so]", "/usr/lib/libfoo.so"] as const;

test("frames are counted in each sample that has them", () => {
  // 2 + 2 + 3 frames; main thrice, and one compiled function with its name.
  const table = tableOf([MAIN, COMPILED], [MAIN, COMPILED], [MAIN, STRIPPED, ["parse", "/tmp/perf-7.map"]]);
  expect(frameNames(table)).toEqual({ frames: 7, named: 4, namelessCompiled: 2 });
});

test("says how to get the names of compiled code, where many are missing", () => {
  expect(namelessRemarks(frameNames(tableOf([MAIN, COMPILED])))).toEqual([
    expect.stringMatching(/^50 % of the frames .* --perf-basic-prof/),
  ]);
  // A stripped library gets no names by a flag of the runtime.
  expect(namelessRemarks(frameNames(tableOf([MAIN, STRIPPED])))).toEqual([]);
  expect(namelessRemarks({ frames: 1000, named: 971, namelessCompiled: 29 })).toEqual([]);
  expect(namelessRemarks({ frames: 0, named: 0, namelessCompiled: 0 })).toEqual([]);
});
