import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { shellWord } from "./finding.ts";

test.each([
  ["traces.pb.gz", "traces.pb.gz"],
  ["my traces.json", "'my traces.json'"],
  ["it's", "'it'\\''s'"],
  ["", "''"],
  // a file may be called anything, but its name must not act on the terminal it is printed to
  ["a\u001b[2Jb", "$'a\\033[2Jb'"],
  ["two\nlines", "$'two\\012lines'"],
  ["\u202eit's \\", "$'\\342\\200\\256it\\047s \\134'"],
])("%j is written %s", (word, written) => expect(shellWord(word)).toBe(written));

test("a shell reads what was written, and it does nothing to a terminal", () => {
  const words = fc.sample(
    fc.string({
      unit: fc.constantFrom("a", "1", "'", '"', "\\", " ", "$", "\u001b", "\n", "\u009b", "\u202e", "ü"),
      maxLength: 8,
    }),
    { numRuns: 200, seed: 1 },
  );
  const written = words.map(shellWord);
  expect(written.filter((word) => /[\p{Cc}\u202e]/u.test(word))).toEqual([]);
  const read = spawnSync("bash", ["-c", `printf '%s\\0' ${written.join(" ")}`], { encoding: "utf8" }).stdout;
  expect(read.split("\0").slice(0, -1)).toEqual(words);
});
