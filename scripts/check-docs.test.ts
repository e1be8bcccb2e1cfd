import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { CHECKED_DOCS, findStaleDocs, namedPaths } from "./check-docs.ts";

const planted: string[] = [];
afterEach(() => {
  for (const root of planted.splice(0)) rmSync(root, { recursive: true });
});

/** A sound project with one map replaced. */
function complaintsAbout(architecture: string): string[] {
  const root = mkdtempSync(join(tmpdir(), "longpole-docs-"));
  planted.push(root);
  const files: Record<string, string> = {
    "package.json": '{"scripts":{"check":"true"}}',
    "src/model/span.ts": "export function readSpan(): void {}\n",
    ...Object.fromEntries(CHECKED_DOCS.map((doc) => [doc, "Nothing.\n"])),
    "ARCHITECTURE.md": architecture,
  };
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return findStaleDocs(root);
}

test.each([
  ["a true map", "`src/model/` holds `readSpan` in `src/model/span.ts`; `npm run check`", []],
  ["a folder it is silent about", "Nothing.", ["ARCHITECTURE.md does not name src/model/"]],
  [
    "a file that went",
    "`src/model/` and `src/model/gone.ts`",
    ["ARCHITECTURE.md names src/model/gone.ts, which does not exist"],
  ],
  ["a link to nowhere", "`src/model/` [x](docs/gone.md)", ["ARCHITECTURE.md names docs/gone.md, which does not exist"]],
  [
    "a function that moved",
    "`src/model/`: `writeSpan` in `src/model/span.ts`",
    ["ARCHITECTURE.md says that writeSpan is in src/model/span.ts, which does not hold it"],
  ],
  [
    "a script that went",
    "`src/model/` `npm run fly`",
    ['ARCHITECTURE.md names "npm run fly", which package.json does not have'],
  ],
])("%s", (_, text, expected) => {
  expect(complaintsAbout(text)).toEqual(expected);
});

test("paths stand in code and in links, addresses do not count", () => {
  expect(
    namedPaths("`npx tsx bench/a.ts` and src/not-code.ts, [b](docs/b.md#part), [c](https://example.org/src/c)"),
  ).toEqual(["bench/a.ts", "docs/b.md"]);
});
