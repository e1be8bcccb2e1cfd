import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { findViolations } from "./check-imports.ts";

const planted: string[] = [];
afterEach(() => {
  for (const root of planted.splice(0)) rmSync(root, { recursive: true });
});

/** The violations of a project that holds just these files, as "rule file:line". */
function violationsOf(files: Record<string, string>): string[] {
  const root = mkdtempSync(join(tmpdir(), "longpole-imports-"));
  planted.push(root);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return findViolations(root).map(({ rule, file, line }) => `${rule} ${file}:${line}`);
}

const A = "export const a: number = 1;\n";

test.each([
  ["analysis may import model", "src/analysis/x.ts", "src/model/a.ts", []],
  ["cli may import engine", "src/cli/x.ts", "src/engine/a.ts", []],
  ["a test may import testing", "src/analysis/x.test.ts", "src/testing/a.ts", []],
  ["model imports nothing", "src/model/x.ts", "src/analysis/a.ts", ["direction src/model/x.ts:2"]],
  ["analysis and formats are strangers", "src/analysis/x.ts", "src/formats/a.ts", ["direction src/analysis/x.ts:2"]],
  ["formats and analysis too", "src/formats/x.ts", "src/analysis/a.ts", ["direction src/formats/x.ts:2"]],
  ["engine does not know cli", "src/engine/x.ts", "src/cli/a.ts", ["direction src/engine/x.ts:2"]],
  ["production does not know testing", "src/engine/x.ts", "src/testing/a.ts", ["direction src/engine/x.ts:2"]],
  ["bench does not know cli", "bench/x.ts", "src/cli/a.ts", ["direction bench/x.ts:2"]],
])("%s", (_, file, target, expected) => {
  const up = file.split("/").slice(1).fill("..").join("/");
  expect(violationsOf({ [file]: `// why\nimport { a } from "${up}/${target}";\n`, [target]: A })).toEqual(expected);
});

test("a dynamic import, a type import and an import over several lines count as well", () => {
  expect(
    violationsOf({
      "src/model/x.ts":
        'const later = await import("../formats/a.ts");\n' +
        'import type { A } from "../engine/a.ts";\nimport {\n  b,\n  c,\n} from "../cli/a.ts";\n',
    }),
  ).toEqual(["direction src/model/x.ts:1", "direction src/model/x.ts:2", "direction src/model/x.ts:6"]);
});

test("a circle of imports is told once, with every file of it", () => {
  expect(
    violationsOf({
      "src/model/a.ts": 'import { b } from "./b.ts";\n',
      "src/model/b.ts": 'import { c } from "./c.ts";\n',
      "src/model/c.ts": '\nimport { a } from "./a.ts";\n',
    }),
  ).toEqual(["cycle src/model/c.ts:2"]);
});

test("two ways to the same file are no circle", () => {
  expect(
    violationsOf({
      "src/model/a.ts": 'import { b } from "./b.ts";\nimport { c } from "./c.ts";\n',
      "src/model/b.ts": 'import { c } from "./c.ts";\n',
      "src/model/c.ts": A,
    }),
  ).toEqual([]);
});

test.each([
  ["default-export", "export default function f() {}\n"],
  ["default-export", "const f = 1;\nexport { f as default };\n"],
  ["barrel", 'export * from "./other.ts";\n'],
  ["barrel", 'export { other } from "./other.ts";\n'],
  ["barrel", 'export type { Other } from "./other.ts";\n'],
  ["enum", "export enum Colour { Red }\n"],
  ["enum", "const enum Colour { Red }\n"],
])("%s is caught in %j", (rule, text) => {
  const found = violationsOf({ "src/model/x.ts": text, "src/model/other.ts": A });
  expect(found.map((violation) => violation.split(" ")[0])).toEqual([rule]);
});

test("what stands in comments and strings is not code", () => {
  const text = '// export default 1\n/* import "../cli/a.ts" */\nexport const s: string = "enum x // not a comment";\n';
  expect(violationsOf({ "src/model/x.ts": text })).toEqual([]);
});

test("a folder of src without a layer is told", () => {
  expect(violationsOf({ "src/utils/x.ts": A })).toEqual(["no-layer src/utils/x.ts:1"]);
});
