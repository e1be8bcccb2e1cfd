import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SettingError } from "./export/export-settings.ts";
import { QueueOwner } from "./queue-owner.ts";

let folder = "";
let note = "";
let other: ChildProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "longpole-owner-"));
  note = join(folder, "running.json");
});
afterEach(() => {
  other?.kill("SIGKILL");
  other = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** Field 22 of proc_pid_stat(5), of a process whose name has no blank. */
const startTicks = (pid: number): number => Number(readFileSync(`/proc/${pid}/stat`, "latin1").split(" ")[21]);
const bootId = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();

/** A process that lives, and a note as if it were an agent. */
function living(change: { startTicks?: number; boot?: string } = {}): number {
  other = spawn("sleep", ["60"], { stdio: "ignore" });
  const pid = other.pid!;
  writeFileSync(note, JSON.stringify({ pid, startTicks: startTicks(pid), boot: bootId(), ...change }));
  utimesSync(note, 1_790_000_000, 1_790_000_000);
  return pid;
}

test("nobody was there; in the end nothing is left", () => {
  const owner = new QueueOwner(folder, Date.now());
  expect(owner.lost).toBeUndefined();
  expect(existsSync(note)).toBe(true);
  owner.ends();
  expect(existsSync(note)).toBe(false);
});

test("two agents in one folder would send and remove each other's requests: the second is refused", () => {
  const pid = living();
  const begin = (): unknown => new QueueOwner(folder, Date.now());
  expect(begin).toThrow(SettingError);
  expect(begin).toThrow(`used by another agent, process ${pid}: --queue names another folder`);
  expect(JSON.parse(readFileSync(note, "utf8"))).toMatchObject({ pid });
});

test.each<[string, { startTicks?: number; boot?: string }, boolean]>([
  ["a number that is another process's by now", { startTicks: 1 }, false],
  ["before the machine was started anew", { boot: "0f0e" }, true],
])("one that was lost: %s", (_, change, isOfEarlierBoot) => {
  const pid = living(change);
  const owner = new QueueOwner(folder, Date.now());
  expect(owner.lost).toEqual({ pid, lastUnixMs: 1_790_000_000_000, isOfEarlierBoot });
  expect(JSON.parse(readFileSync(note, "utf8"))).toEqual({
    pid: process.pid,
    startTicks: expect.any(Number) as number,
    boot: bootId(),
  });
});

test.each(["", "{", "[]", '{"pid":"1"}'])("half of a note (%j) is of one that was lost while it wrote it", (text) => {
  writeFileSync(note, text);
  expect(new QueueOwner(folder, Date.now()).lost).toMatchObject({ pid: 0, isOfEarlierBoot: false });
});

test("it says that it lives, not at each beat, and a folder that goes away ends nothing", () => {
  const from = 1_790_000_000_000;
  const owner = new QueueOwner(folder, from);
  utimesSync(note, 1, 1);
  owner.lives(from + 9999);
  const again = (): number | undefined => new QueueOwner(folder, from).lost?.lastUnixMs;
  expect(again()).toBe(1000);
  owner.lives(from + 10_000);
  expect(again()).toBe(from + 10_000);
  rmSync(folder, { recursive: true });
  owner.lives(from + 30_000);
  owner.ends();
});
