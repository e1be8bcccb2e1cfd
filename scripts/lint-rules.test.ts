import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

/** One planted violation per rule that the configuration turns on, all in one run of the linter. */
const PLANTED: Readonly<Record<string, string>> = {
  "no-explicit-any": "export const f = (x: any): unknown => x;\n",
  eqeqeq: "export const f = (x: unknown): boolean => x == 1;\n",
  "no-var": "export var f = 1;\n",
  "prefer-const": "let f = 1;\nexport const g: number = f;\n",
  "no-default-export": "export default 1;\n",
  "no-console": 'console.log("x");\nexport const f = 1;\n',
  "consistent-type-imports": 'import { Other } from "./other.ts";\nexport type F = Other;\n',
  "no-floating-promises": "const later = async (): Promise<void> => {};\nlater();\nexport const f = 1;\n",
  "no-misused-promises": "export const f = (later: () => Promise<boolean>): number => (later() ? 1 : 2);\n",
  "switch-exhaustiveness-check":
    'export function f(x: "a" | "b"): number {\n  switch (x) {\n    case "a":\n      return 1;\n  }\n  return 0;\n}\n',
};

const project = resolve(import.meta.dirname, "..");
const root = mkdtempSync(join(tmpdir(), "longpole-lint-"));
let output = "";

beforeAll(() => {
  mkdirSync(join(root, "src", "model"), { recursive: true });
  copyFileSync(join(project, ".oxlintrc.json"), join(root, ".oxlintrc.json"));
  const options = {
    strict: true,
    module: "nodenext",
    target: "es2023",
    allowImportingTsExtensions: true,
    noEmit: true,
  };
  writeFileSync(join(root, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["src"] }));
  writeFileSync(join(root, "src", "model", "other.ts"), "export interface Other {\n  x: number;\n}\n");
  for (const [rule, text] of Object.entries(PLANTED)) writeFileSync(join(root, "src", "model", `${rule}.ts`), text);
  const bin = join(project, "node_modules", ".bin", "oxlint");
  output = spawnSync(bin, ["--type-aware", "--format=unix"], { cwd: root, encoding: "utf8" }).stdout;
});
afterAll(() => rmSync(root, { recursive: true }));

test.each(Object.keys(PLANTED))("%s is caught where it was planted", (rule) => {
  const lines = output.split("\n").filter((line) => line.includes(`${rule}.ts:`));
  expect(lines.join("\n")).toContain(rule === "no-default-export" ? "no-default-export" : `(${rule})`);
});

test("the file without a violation is quiet", () => {
  expect(output).not.toContain("other.ts:");
});
