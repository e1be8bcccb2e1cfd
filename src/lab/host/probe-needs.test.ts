import { expect, test } from "vitest";
import { probeNeeds } from "./probe-needs.ts";

test("each need is possible, or refused in one sentence that says what would change it", async () => {
  const needs = await probeNeeds();
  expect(Object.keys(needs).sort()).toEqual(["cpu-cgroup", "direct-io", "netem"]);
  for (const reason of Object.values(needs)) {
    if (reason !== undefined) expect(reason).toMatch(/^[^\n]+[:,][^\n]+[^.\n]$/);
  }
});

test("a folder that is not there is told as such", async () => {
  expect((await probeNeeds("/nowhere/at/all"))["direct-io"]).toBe(
    "the folder /nowhere/at/all cannot be written (ENOENT): one that can be would do",
  );
});
