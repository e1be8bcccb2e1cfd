import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ServingHelper } from "./serving-helper.ts";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "longpole-serving-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A program in the helper's place. */
function helperOf(script: string): ServingHelper {
  const path = join(folder, "helper");
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o700 });
  return new ServingHelper(path, { hz: 19, tickSeconds: 1, user: undefined, isLooking: true }, () => {});
}

test.runIf(process.platform === "linux")(
  "what it takes is what the kernel counts, and nothing once it has ended",
  async () => {
    // A tenth of a second of processor time and more, then it waits for the end of its input.
    const helper = helperOf("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; cat > /dev/null");
    const most = { cpuNs: 0 };
    while (most.cpuNs < 3e7) {
      most.cpuNs = helper.use().cpuNs;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(helper.use().residentBytes).toBeGreaterThan(100_000);
    helper.stop();
    await helper.ended;
    expect(helper.use()).toEqual({ cpuNs: 0, residentBytes: 0 });
  },
);

test("one that ends with an error is told in its own words, and answers nothing", async () => {
  const helper = helperOf("echo 'longpole-probe: no rights' >&2; exit 1");
  await helper.ready;
  await expect(helper.ended).rejects.toThrow(/^no rights$/);
  expect(await helper.facts(process.pid)).toBeUndefined();
  expect(await helper.maps(process.pid)).toBe("");
});

test("one that does not end when it is asked to is ended", async () => {
  const helper = helperOf("exec sleep 60");
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    helper.stop();
    vi.advanceTimersByTime(5000);
  } finally {
    vi.useRealTimers();
  }
  await expect(helper.ended).rejects.toThrow("it ended with SIGKILL");
});
