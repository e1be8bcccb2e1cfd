import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { DEFAULT_EXPORTS, LAYERS, TESTS_MAY_IMPORT, TEST_EXCEPTIONS } from "./layers.ts";

export interface Violation {
  readonly rule: "direction" | "cycle" | "barrel" | "default-export" | "enum" | "no-layer";
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/**
 * Holds every TypeScript file below `root` against the layers: imports point one
 * way, in no circle, and nothing is exported by default, passed on or an enum.
 * root: the folder that holds `src`. Returns the violations in the order of files and lines.
 */
export function findViolations(root: string): Violation[] {
  const violations: Violation[] = [];
  const imports = new Map<string, Import[]>();
  for (const file of sourceFiles(root)) {
    const text = withoutComments(readFileSync(join(root, file), "utf8"));
    const found = importsOf(text);
    imports.set(file, found);
    violations.push(...checkDirection(file, found), ...checkExports(file, withoutStrings(text)));
  }
  violations.push(...checkCycles(imports));
  return violations.sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

interface Import {
  readonly specifier: string;
  readonly line: number;
}

function sourceFiles(root: string): string[] {
  const files: string[] = [];
  for (const folder of new Set(Object.keys(LAYERS).map((layer) => layer.split("/")[0]!))) {
    let names: string[];
    try {
      names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
    } catch {
      continue; // A planted copy holds only the folders that its test needs.
    }
    for (const name of names) if (name.endsWith(".ts")) files.push(`${folder}/${name.split(sep).join("/")}`);
  }
  return files.filter((file) => !file.includes("node_modules/")).sort();
}

/** Blanks out comments, keeping every line where it is; strings stay. */
function withoutComments(text: string): string {
  return text.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (all, quoted: string | undefined) => quoted ?? all.replace(/[^\n]/g, " "),
  );
}

/** Empties strings, keeping their quotes and lines. */
function withoutStrings(text: string): string {
  return text.replace(/(["'`])((?:\\.|(?!\1)[^\\])*)\1/g, (_, quote: string, inside: string) => {
    return quote + inside.replace(/[^\n]/g, " ") + quote;
  });
}

const IMPORT =
  /^[ \t]*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']|^[ \t]*import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm;

function importsOf(text: string): Import[] {
  return [...text.matchAll(IMPORT)].map((match) => ({
    specifier: match[1] ?? match[2] ?? match[3]!,
    line: lineAt(text, match.index + match[0].length),
  }));
}

const lineAt = (text: string, index: number): number => text.slice(0, index).split("\n").length;

function checkDirection(file: string, imports: readonly Import[]): Violation[] {
  const layer = layerOf(file);
  if (layer === undefined) {
    return [{ rule: "no-layer", file, line: 1, message: "belongs to no layer of scripts/layers.ts" }];
  }
  const allowed = new Set([layer, ...LAYERS[layer]!]);
  if (file.endsWith(".test.ts")) {
    for (const other of [...TESTS_MAY_IMPORT, ...(TEST_EXCEPTIONS[layer] ?? [])]) allowed.add(other);
  }
  const violations: Violation[] = [];
  for (const { specifier, line } of imports) {
    if (!specifier.startsWith(".")) continue;
    const target = layerOf(resolve(file, specifier));
    if (target === undefined || allowed.has(target)) continue;
    violations.push({ rule: "direction", file, line, message: `${layer} may not import ${target} (${specifier})` });
  }
  return violations;
}

function layerOf(file: string): string | undefined {
  return Object.keys(LAYERS).find((layer) => file.startsWith(`${layer}/`));
}

/** Path, from the root, of what `specifier` names in `file`. */
function resolve(file: string, specifier: string): string {
  return relative(".", join(dirname(file), specifier))
    .split(sep)
    .join("/");
}

const FORBIDDEN: readonly { rule: Violation["rule"]; pattern: RegExp; message: string }[] = [
  { rule: "default-export", pattern: /^export default\b|\bas default\b/m, message: "exports by default" },
  { rule: "barrel", pattern: /^export\b[^;"'`=(]*?\bfrom\s*["']/m, message: "passes on exports of another module" },
  { rule: "enum", pattern: /^(?:export )?(?:const )?enum\b/m, message: "declares an enum; use a closed union" },
];

function checkExports(file: string, text: string): Violation[] {
  const violations: Violation[] = [];
  for (const { rule, pattern, message } of FORBIDDEN) {
    const match = pattern.exec(text);
    if (rule === "default-export" && DEFAULT_EXPORTS.includes(file)) continue;
    if (match !== null) violations.push({ rule, file, line: lineAt(text, match.index), message });
  }
  return violations;
}

/**
 * One violation per circle of imports: a depth-first walk with its own stack,
 * where an import of a file that is still being walked closes a circle.
 */
function checkCycles(imports: ReadonlyMap<string, readonly Import[]>): Violation[] {
  const violations: Violation[] = [];
  const state = new Map<string, "walking" | "done">();
  for (const start of imports.keys()) {
    if (state.has(start)) continue;
    const path = [{ file: start, next: 0 }];
    state.set(start, "walking");
    while (path.length > 0) {
      const here = path.at(-1)!;
      const edge = imports.get(here.file)![here.next++];
      if (edge === undefined) {
        state.set(here.file, "done");
        path.pop();
        continue;
      }
      const target = edge.specifier.startsWith(".") ? resolve(here.file, edge.specifier) : "";
      if (!imports.has(target) || state.get(target) === "done") continue;
      if (state.get(target) === "walking") {
        const circle = [...path.slice(path.findIndex((step) => step.file === target)).map((step) => step.file), target];
        violations.push({ rule: "cycle", file: here.file, line: edge.line, message: circle.join(" -> ") });
        continue;
      }
      state.set(target, "walking");
      path.push({ file: target, next: 0 });
    }
  }
  return violations;
}
