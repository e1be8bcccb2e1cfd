import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { getPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { LabError } from "../lab-error.ts";
import { HEALTHY, type HostSettings } from "../settings.ts";
import { changeHost } from "./change-host.ts";
import { enterCpuGroup, probeCpuGroup } from "./cpu-group.ts";
import { leftoverName, ownName } from "./leftovers.ts";
import { startDiskWriters, startNeighbours } from "./neighbours.ts";

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

const settings = (patch: Partial<HostSettings>): HostSettings => ({ ...HEALTHY.host, ...patch });

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "longpole-host-"));
  cleanUps.push(() => rmSync(path, { recursive: true }));
  return path;
}

/** A process that does nothing until it is told to end. */
function idle(prefix: readonly string[] = []): ChildProcess {
  const [command, ...args] = [
    ...prefix,
    process.execPath,
    "-e",
    "process.stdin.on('end', () => process.exit(0)).resume()",
  ];
  const child = spawn(command!, args, { stdio: ["pipe", "ignore", "inherit"] });
  cleanUps.push(() => child.stdin!.end());
  return child;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function eventually(condition: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 500 && !condition(); tries++) await sleep(20);
  return condition();
}

test("nothing to change changes nothing", async () => {
  const change = await changeHost(HEALTHY.host, {}, folder());
  expect(change.prefixOf("zones")).toEqual([]);
  expect(change.addressesOf("zones")).toBeUndefined();
  await change.undo();
  await change.undo();
});

test("neighbours have the niceness that was asked for, and end when they are told to", async () => {
  const { pids, end } = await startNeighbours(2, 19);
  expect(pids).toHaveLength(2);
  expect(pids.map((pid) => getPriority(pid))).toEqual([19, 19]);
  await end();
  expect(pids.map(isAlive)).toEqual([false, false]);
});

test("a neighbour and a disk writer end with their parent, even when it is killed", async () => {
  const place = folder();
  const script = join(folder(), "parent.mts");
  writeFileSync(
    script,
    `import { startDiskWriters, startNeighbours } from ${JSON.stringify(join(import.meta.dirname, "neighbours.ts"))};
     const all = [await startNeighbours(1, 19), await startDiskWriters(1, ${JSON.stringify(place)})];
     console.log(JSON.stringify(all.flatMap(({ pids }) => pids)));`,
  );
  const parent = spawn(process.execPath, ["--import", "tsx", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [text] = (await once(parent.stdout, "data")) as [Buffer];
  const pids = JSON.parse(text.toString()) as number[];
  expect(pids.map(isAlive)).toEqual([true, true]);
  parent.kill("SIGKILL");
  expect(await eventually(() => !pids.some(isAlive))).toBe(true);
  expect(readdirSync(place)).toEqual([]);
});

test("a disk writer writes a file of its own, and leaves none", async () => {
  const place = folder();
  const { end } = await startDiskWriters(2, place);
  expect(readdirSync(place)).toHaveLength(2);
  await end();
  expect(readdirSync(place)).toEqual([]);
});

test("a folder that is not there is refused, and the neighbours that had begun are ended", async () => {
  const refused = changeHost(settings({ diskWriters: 1, neighbours: { processes: 1, nice: 19 } }), {}, "/nowhere");
  await expect(refused).rejects.toBeInstanceOf(LabError);
  await expect(refused).rejects.toMatchObject({ code: "disk-writers" });
});

test("a quota takes in running and new processes, and lets all of them go; or the machine says why not", async () => {
  const refusal = await probeCpuGroup();
  const running = idle();
  const quota = { service: "zones", cores: 0.25 } as const;
  const changed = changeHost(settings({ quota }), { zones: [running.pid!], gateway: [process.pid] }, folder());
  if (refusal !== undefined) {
    await expect(changed).rejects.toMatchObject({ code: "cpu-cgroup" });
    return;
  }
  const change = await changed;
  const started = idle(change.prefixOf("zones"));
  const inGroup = (pid: number): boolean => readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(ownName("zones"));
  expect(inGroup(running.pid!)).toBe(true);
  expect(inGroup(process.pid)).toBe(false);
  expect(await eventually(() => inGroup(started.pid!))).toBe(true);
  expect(change.prefixOf("gateway")).toEqual([]);
  await change.undo();
  expect([running.pid!, started.pid!].map(inGroup)).toEqual([false, false]);
});

test("the group has the quota in its own words", async () => {
  if ((await probeCpuGroup()) !== undefined) {
    await expect(enterCpuGroup("test", 0.25, [])).rejects.toMatchObject({ code: "cpu-cgroup" });
    return;
  }
  const group = await enterCpuGroup("test", 0.25, []);
  const file = ["cpu.cfs_quota_us", "cpu.max"].map((name) => join(group.path, name)).find(existsSync)!;
  expect(readFileSync(file, "utf8").trim()).toMatch(/^25000( 100000)?$/);
  await group.leave();
  expect(existsSync(group.path)).toBe(false);
});

test("what a killed run left behind is removed by the next", async () => {
  const dead = idle();
  dead.stdin!.end();
  await once(dead, "exit");
  expect(leftoverName(`longpole-lab-${dead.pid}-zones`)).toBe(true);
  expect(
    [ownName("zones"), "longpole-lab-", "longpole-lab-x-1", `somebody-${dead.pid}-else`].map(leftoverName),
  ).toEqual([false, false, false, false]);
  if ((await probeCpuGroup()) !== undefined) return;
  const group = await enterCpuGroup("test", 1, []);
  const left = group.path.replace(ownName("test"), `longpole-lab-${dead.pid}-zones`);
  mkdirSync(left);
  await (await changeHost(HEALTHY.host, {}, folder())).undo();
  expect([group.path, left].map(existsSync)).toEqual([true, false]);
  await group.leave();
});
