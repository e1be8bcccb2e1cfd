import { expect, test } from "vitest";
import { changeHost } from "./change-host.ts";
import { HEALTHY } from "../settings.ts";
import { probeNeeds } from "./probe-needs.ts";

test("each need is possible, or refused in one sentence that says what would change it", async () => {
  const needs = await probeNeeds();
  expect(Object.keys(needs).sort()).toEqual(["cpu-cgroup", "direct-io", "netem"]);
  for (const reason of Object.values(needs)) {
    if (reason !== undefined) expect(reason).toMatch(/^[^\n]+[:,][^\n]+[^.\n]$/);
  }
});

test("what is refused when probed is refused with the same sentence when used", async () => {
  const { netem, "cpu-cgroup": cpuGroup } = await probeNeeds();
  const outcome = async (host: Partial<typeof HEALTHY.host>): Promise<string | undefined> => {
    try {
      await (await changeHost({ ...HEALTHY.host, ...host }, {}, "/tmp")).undo();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(await outcome({ network: { service: "zones", delayMs: 20, lossRatio: 0.01 } })).toBe(netem);
  const quota = await outcome({ quota: { service: "zones", cores: 0.5 } });
  expect(quota === undefined).toBe(cpuGroup === undefined);
});

test("a folder that is not there is told as such", async () => {
  expect((await probeNeeds("/nowhere/at/all"))["direct-io"]).toBe(
    "the folder /nowhere/at/all cannot be written (ENOENT): one that can be would do",
  );
});
