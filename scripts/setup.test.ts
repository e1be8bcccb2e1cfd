import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { buildIsStale, missingDependencies, tooOld } from "./setup.mjs";
import { countTests, failedTests } from "./test-count.mjs";

const planted: string[] = [];
afterEach(() => {
  for (const root of planted.splice(0)) rmSync(root, { recursive: true });
});

function folderWith(files: Record<string, unknown>): string {
  const root = mkdtempSync(join(tmpdir(), "longpole-setup-"));
  planted.push(root);
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), JSON.stringify(content));
  }
  return root;
}

test.each([
  ["20.19.0", undefined],
  ["20.20.2", undefined],
  ["22.0.0", undefined],
  ["20.18.9", "Longpole needs Node 20.19.0 or newer; this is Node 20.18.9."],
  ["8.17.0", "Longpole needs Node 20.19.0 or newer; this is Node 8.17.0."],
])("Node %s", (version, expected) => {
  expect(tooOld(version)).toBe(expected);
});

describe("dependencies", () => {
  const lock = {
    packages: {
      "": {},
      "node_modules/a": { version: "1.0.0" },
      "node_modules/b": { version: "2.0.0", optional: true },
    },
  };
  const installed = (packages: object): string =>
    folderWith({ "package-lock.json": lock, "node_modules/.package-lock.json": { packages } });

  test("nothing installed", () => {
    expect(missingDependencies(folderWith({ "package-lock.json": lock }))).toBe("node_modules is absent");
  });
  test("all there; an optional one may be left out", () => {
    expect(missingDependencies(installed({ "node_modules/a": { version: "1.0.0" } }))).toBeUndefined();
  });
  test("the lock has moved on", () => {
    expect(missingDependencies(installed({ "node_modules/a": { version: "0.9.0" } }))).toBe(
      "node_modules/a is 0.9.0, the lock wants 1.0.0",
    );
  });
});

describe("build", () => {
  const built = { "dist/cli/main.js": 0, "dist/.tsbuildinfo/setup-stamp": 0 };
  const sources = { "src/model/a.ts": 0, "tsconfig.base.json": 0, "vite.config.ts": 0, "package-lock.json": 0 };
  const dated = (changed: Record<string, number>): string => {
    const root = folderWith({ ...built, ...sources });
    for (const file of Object.keys(sources)) utimesSync(join(root, file), 1000, changed[file] ?? 1000);
    utimesSync(join(root, "dist/.tsbuildinfo/setup-stamp"), 2000, 2000);
    return root;
  };

  test("never built", () => expect(buildIsStale(folderWith(sources))).toBe(true));
  test("built after every change", () => expect(buildIsStale(dated({}))).toBe(false));
  test("a source is newer", () => expect(buildIsStale(dated({ "src/model/a.ts": 3000 }))).toBe(true));
});

describe("count", () => {
  const report = { numPassedTests: 5, numFailedTests: 1, testResults: [{ status: "failed", assertionResults: [{}] }] };

  test("tests of all runs, and each other check as one", () => {
    const checks = [
      { name: "lint", ok: true },
      { name: "docs", ok: false },
      { name: "unit tests", ok: false },
    ];
    const folder = folderWith({ "unit.json": report, "e2e.json": report, "checks.json": checks });
    expect(countTests(folder)).toEqual({ passed: 11, failed: 3 });
  });
  test("a file that does not load is a failure", () => {
    const broken = { numPassedTests: 2, numFailedTests: 0, testResults: [{ status: "failed", assertionResults: [] }] };
    const folder = folderWith({ "unit.json": broken, "checks.json": [{ name: "unit tests", ok: false }] });
    expect(countTests(folder)).toEqual({ passed: 2, failed: 1 });
  });
  test("tests that failed are named, and files that did not load", () => {
    const results = [
      {
        name: "a.test.ts",
        status: "failed",
        assertionResults: [
          { status: "passed", fullName: "fine" },
          { status: "failed", fullName: "wrong" },
        ],
      },
      { name: "b.test.ts", status: "failed", assertionResults: [] },
    ];
    const folder = folderWith({ "unit.json": { testResults: results }, "checks.json": [{ name: "lint", ok: false }] });
    expect(failedTests(folder)).toEqual(["a.test.ts: wrong", "b.test.ts"]);
  });
  test("a run of tests that left no report is a failure", () => {
    expect(countTests(folderWith({ "checks.json": [{ name: "unit tests", ok: false }] }))).toEqual({
      passed: 0,
      failed: 1,
    });
  });
  test("nothing ran at all", () => {
    expect(countTests(join(tmpdir(), "longpole-no-such-folder"))).toEqual({ passed: 0, failed: 1 });
  });
});
