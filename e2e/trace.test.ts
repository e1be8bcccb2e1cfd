import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { longpole } from "./longpole.ts";

const hasBpftrace =
  process.getuid?.() === 0 && spawnSync("bpftrace", ["-e", "BEGIN { exit(); }"], { timeout: 20_000 }).status === 0;

interface Traced {
  readonly schema: string;
  readonly hits: number;
  readonly ended: string;
  readonly totals: readonly { readonly key: string; readonly count: number; readonly p50: number | null }[];
  readonly intervals: readonly { readonly count: number }[];
}

test("--list names the probes", () => {
  const { code, stdout } = longpole(["trace", "--list", "--json"]);
  expect(code).toBe(0);
  const names = (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["syscalls", "fsync", "futex", "block-io", "run-queue", "tcp-connect"]));
});

test.each([
  ["no probe", [], /what to trace\?/],
  ["an unknown one", ["fsyncc"], /no probe is named "fsyncc"; there are syscalls, fsync/],
])("%s: 2 and a line", (_, args, text) => {
  const { code, stdout, stderr } = longpole(["trace", ...args]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(text);
});

test.runIf(!hasBpftrace)("without bpftrace: what is missing", () => {
  const { code, stdout, stderr } = longpole(["trace", "fsync", "--seconds", "1", "--json"]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/bpftrace (?:is not installed: apt-get install bpftrace|needs root|ended with)/);
});

test.runIf(hasBpftrace)("system calls by name, second by second", () => {
  const { code, stdout } = longpole(["trace", "syscalls", "--seconds", "2", "--json"]);
  expect(code).toBe(0);
  const found = JSON.parse(stdout) as Traced;
  expect([found.schema, found.ended]).toEqual(["longpole.trace/1", "time"]);
  // Every process of this machine waits in one of these, this test among them.
  expect(found.totals.map(({ key }) => key)).toEqual(expect.arrayContaining(["futex"]));
  expect(found.intervals.reduce((sum, { count }) => sum + count, 0)).toBe(
    found.totals.reduce((sum, { count }) => sum + count, 0),
  );
});

test.runIf(hasBpftrace)("too many hits: the probe takes itself off, and says so", () => {
  const { code, stdout, stderr } = longpole(["trace", "syscalls", "--seconds", "20", "--max-hits", "5", "--json"]);
  expect(code).toBe(0);
  expect((JSON.parse(stdout) as Traced).ended).toBe("limit");
  expect(stderr).toContain("more than 5 hits a second: taken off early");
});
