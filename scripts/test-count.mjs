// Prints "N passed, N failed" of the last `npm test`: the tests that ran, and each
// check that is no test run (lint, format, ...) as one. Plain JavaScript, since it
// has to say something even when nothing could be installed.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/**
 * Sums what a folder of results holds: `checks.json` of scripts/check.ts, and one
 * vitest JSON report per run of tests.
 * @param {string} folder
 * @returns {{ passed: number, failed: number }}
 */
export function countTests(folder) {
  let passed = 0;
  let failed = 0;
  const reports = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  for (const name of reports.filter((report) => report !== "checks.json")) {
    const report = JSON.parse(readFileSync(join(folder, name), "utf8"));
    passed += report.numPassedTests;
    failed += report.numFailedTests;
    // A file that did not load has no tests to count and is still a failure.
    for (const file of report.testResults) if (file.status === "failed" && file.assertionResults.length === 0) failed++;
  }
  const checks = join(folder, "checks.json");
  if (!existsSync(checks)) return { passed, failed: Math.max(failed, 1) };
  for (const check of JSON.parse(readFileSync(checks, "utf8"))) {
    const isTestRun = check.name.endsWith("tests");
    if (!isTestRun && check.ok) passed++;
    else if (!isTestRun || (!check.ok && failed === 0)) failed++;
  }
  return { passed, failed };
}

/**
 * Names of the tests that failed, to close the output with: a log is often cut off at its beginning.
 * @param {string} folder
 * @returns {string[]}
 */
export function failedTests(folder) {
  const names = [];
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (!name.endsWith(".json") || name === "checks.json") continue;
    for (const file of JSON.parse(readFileSync(join(folder, name), "utf8")).testResults) {
      const failed = file.assertionResults.filter(
        (/** @type {{ status: string }} */ result) => result.status === "failed",
      );
      if (file.status === "failed" && file.assertionResults.length === 0) names.push(file.name);
      for (const { fullName } of failed) names.push(`${file.name}: ${fullName}`);
    }
  }
  return names;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const folder = join(root, "dist", "test-results");
  for (const name of failedTests(folder)) console.log(`failed: ${name.replace(`${root}/`, "")}`);
  const { passed, failed } = countTests(folder);
  console.log(`${passed} passed, ${failed} failed`);
}
