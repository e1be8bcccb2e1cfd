import type { Reporter, TestCase } from "vitest/node";
import { relative, resolve } from "node:path";

const ROOT: string = resolve(import.meta.dirname, "..");

/**
 * Vitest's reporter of tests that passed, but not at once. The end-to-end tests get a second try, since they measure on machines
 * that others use as well; which ones needed it is said, so that one that often does is seen and mended.
 */
// oxlint-disable-next-line import/no-default-export -- how vitest finds a reporter
export default class SecondTries implements Reporter {
  private readonly names: string[] = [];

  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky === true)
      this.names.push(`${relative(ROOT, test.module.moduleId)} > ${test.fullName}`);
  }

  onTestRunEnd(): void {
    for (const name of this.names) console.log(`\npassed at a further try: ${name}`);
  }
}
