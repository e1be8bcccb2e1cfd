import fc from "fast-check";
import { expect, test } from "vitest";
import { Intake } from "../model/intake.ts";
import { assertStackTable, FRAME_KINDS, type StackTable } from "../model/stack-table.ts";
import { anyStacks } from "../testing/random-stacks.ts";
import { stacksFromText } from "../testing/stacks-from-text.ts";
import { decodeFolded } from "./folded-stacks.ts";
import { foldedLines } from "./write-folded.ts";

function read(text: string): { stacks: StackTable; errors: string[] } {
  const intake = new Intake();
  const stacks = decodeFolded(Buffer.from(text), intake, "x.folded");
  assertStackTable(stacks);
  return { stacks, errors: intake.errors.map((error) => error.message) };
}

test.each([
  ["with numbers", "a;b 3\na 1\na;b 4\n", ["a 1", "a;b 7"]],
  ["without", "a;b\na;b\nc\n", ["a;b 2", "c 1"]],
  [
    "spaces in frames",
    "main;Regexp: ^(a)$ b;operator new(unsigned long) 5",
    ["main;Regexp: ^(a)$ b;operator new(unsigned long) 5"],
  ],
  ["a number in a frame, and fractions", "read 12;x 1.5\n", ["read 12;x 1.5"]],
  ["blank lines, a comment, CR LF, a byte order mark", "\ufeff# made by hand\r\na;b 2\r\n\r\n", ["a;b 2"]],
  ["empty frames are passed over", "a;;b; 2", ["a;b 2"]],
])("%s", (_, text, want) => {
  const { stacks, errors } = read(text);
  expect([[...foldedLines(stacks)], errors]).toEqual([want, []]);
});

test("a line without a frame is told with its byte and line", () => {
  const { stacks, errors } = read("a 1\n; 4\nb 2\n");
  expect([...foldedLines(stacks)]).toEqual(["a 1", "b 2"]);
  expect(errors).toEqual(["x.folded at byte 4: expected a stack and a number on line 2, found no frame"]);
});

test("annotations tell the kind of a frame, and are written where asked for", () => {
  const { stacks } = read("java;sys_read_[k];run_[j];f_[i] 1");
  expect(Array.from(stacks.frames.kind, (kind) => FRAME_KINDS[kind])).toEqual(["user", "kernel", "jit", "user"]);
  expect([...foldedLines(stacks, { annotate: true })]).toEqual(["java;sys_read_[k];run_[j];f 1"]);
});

test("names are made fit for the format", () => {
  const table = stacksFromText("a 1");
  const id = table.strings.intern("x;y\nz");
  table.frames.function[0] = id;
  expect([...foldedLines(table)]).toEqual(["x:y z 1"]);
});

test("what is written reads back the same", () => {
  fc.assert(
    fc.property(anyStacks, (table) => {
      const lines = [...foldedLines(table)];
      const { stacks, errors } = read(lines.join("\n"));
      expect(errors).toEqual([]);
      expect([...foldedLines(stacks)]).toEqual(lines);
    }),
    { numRuns: 100, seed: 6 },
  );
});
