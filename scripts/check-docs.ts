import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The maps that are checked: what they name has to exist. */
export const CHECKED_DOCS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/time-kinds.md"];

/**
 * What is wrong in the maps of the project below `root`, one sentence each:
 * a path that does not exist, a name that its file does not hold, an npm script
 * that package.json does not have, or a folder of src that ARCHITECTURE.md is silent about.
 */
export function findStaleDocs(root: string): string[] {
  const complaints: string[] = [];
  const scripts = npmScripts(root);
  for (const doc of CHECKED_DOCS) {
    if (!existsSync(join(root, doc))) {
      complaints.push(`${doc} is absent`);
      continue;
    }
    const text = readFileSync(join(root, doc), "utf8");
    for (const path of namedPaths(text)) {
      if (!existsSync(join(root, path))) complaints.push(`${doc} names ${path}, which does not exist`);
    }
    for (const { name, path } of namedSymbols(text)) {
      if (existsSync(join(root, path)) && !holds(readFileSync(join(root, path), "utf8"), name)) {
        complaints.push(`${doc} says that ${name} is in ${path}, which does not hold it`);
      }
    }
    for (const [, script] of text.matchAll(/\bnpm run ([\w:-]+)/g)) {
      if (!scripts.has(script!)) complaints.push(`${doc} names "npm run ${script}", which package.json does not have`);
    }
  }
  complaints.push(...unnamedFolders(root));
  return complaints;
}

function npmScripts(root: string): Set<string> {
  const content: unknown = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const scripts = typeof content === "object" && content !== null && "scripts" in content ? content.scripts : {};
  return new Set(Object.keys(scripts as object));
}

const TOP = "src|scripts|bench|e2e|docs|examples|\\.ci|native";

/** Paths in `code` that begin with a folder of the project, and targets of relative links. */
export function namedPaths(text: string): string[] {
  const paths = new Set<string>();
  for (const [, code] of text.matchAll(/`([^`\n]+)`/g)) {
    for (const [, path] of code!.matchAll(new RegExp(`(?:^|\\s)((?:${TOP})/[\\w./@-]*)`, "g"))) paths.add(path!);
  }
  for (const [, target] of text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)) {
    if (!/^[a-z]+:/.test(target!)) paths.add(target!);
  }
  return [...paths];
}

/** "`name` in `path`" says that the file declares the name. */
function namedSymbols(text: string): { name: string; path: string }[] {
  return [...text.matchAll(/`(\w+)(?:\(\))?` in `([\w./-]+\.m?ts)`/g)].map((match) => ({
    name: match[1]!,
    path: match[2]!,
  }));
}

function holds(text: string, name: string): boolean {
  return new RegExp(`\\b(?:function\\*?|class|const|interface|type)\\s+${name}\\b`).test(text);
}

function unnamedFolders(root: string): string[] {
  const map = join(root, "ARCHITECTURE.md");
  if (!existsSync(map) || !existsSync(join(root, "src"))) return [];
  const text = readFileSync(map, "utf8");
  return readdirSync(join(root, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !text.includes(`src/${entry.name}/`))
    .map((entry) => `ARCHITECTURE.md does not name src/${entry.name}/`);
}
