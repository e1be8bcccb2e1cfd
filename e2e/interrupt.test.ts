import { expect, test } from "vitest";
import { interrupted } from "./longpole.ts";

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
