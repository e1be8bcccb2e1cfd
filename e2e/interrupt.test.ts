import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { interrupted, ROOT } from "./longpole.ts";

// Many times the same file is much to do: enough to be interrupted in the middle of it.
const MUCH = Array<string>(40).fill("examples/missing-index/fault/traces.otlp.pb.gz");

test("Ctrl-C once: what is known by then, marked as partial, as one document", async () => {
  const { code, stdout } = await interrupted(["analyze", ...MUCH, "--json"], 1);
  expect([0, 3]).toContain(code);
  expect((JSON.parse(stdout) as { dataQuality: { complete: boolean } }).dataQuality.complete).toBe(false);
});

test("Ctrl-C twice: out at once with 130", async () => {
  const { code } = await interrupted(["analyze", ...MUCH, "--json"], 2);
  expect(code).toBe(130);
});

test("Ctrl-C while comparing: one document that says so and decides nothing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "longpole-e2e-"));
  try {
    MUCH.forEach((path, i) => copyFileSync(join(ROOT, path), join(folder, `${i}.pb.gz`)));
    const { code, stdout } = await interrupted(["compare", folder, folder, "--json", "--fail-on", "regression"], 1);
    const report = JSON.parse(stdout) as { verdict: string; cautions: string[] };
    expect([code, report.verdict]).toEqual([3, "insufficient-data"]);
    expect(report.cautions[0]).toContain("stopped early");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
