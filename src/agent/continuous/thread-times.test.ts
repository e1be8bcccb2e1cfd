import { expect, test } from "vitest";
import { ThreadTimes, type ThreadTotals, type WaitKind, type WaitTotals } from "./thread-times.ts";

const thread = (tid: number, tgid: number, cpuNs: number, runnableNs: number, firstNs = 1): ThreadTotals => ({
  tid,
  tgid,
  firstNs,
  cpuNs,
  runnableNs,
});
const wait = (tid: number, syscall: number, ns: number): WaitTotals => ({ tid, syscall, detail: 0, ns });
const kindOf = (_: number, { syscall }: WaitTotals): WaitKind =>
  syscall === 232 ? { kind: "network", isIdle: true } : { kind: "disk", isIdle: false };

const told = (times: ThreadTimes, pid: number): string[] =>
  [...times.of(pid)]
    .map(({ kind, isMain, isIdle, ns }) => `${kind}${isMain ? " main" : ""}${isIdle ? " idle" : ""} ${ns}`)
    .toSorted();

test("totals that are repeated are counted once, by process, thread and kind", () => {
  const times = new ThreadTimes();
  times.add(
    [thread(10, 10, 100, 5), thread(11, 10, 30, 0), thread(20, 20, 7, 0)],
    [wait(10, 232, 50), wait(11, 0, 9)],
    kindOf,
  );
  times.add(
    [thread(10, 10, 160, 5), thread(11, 10, 30, 2), thread(20, 20, 8, 0)],
    [wait(10, 232, 70), wait(11, 0, 9)],
    kindOf,
  );
  expect(told(times, 10)).toEqual([
    "cpu 30",
    "cpu main 160",
    "disk 9",
    "network main idle 70",
    "runnable 2",
    "runnable main 5",
  ]);
  expect(told(times, 20)).toEqual(["cpu main 8"]);
  expect(told(times, 99)).toEqual([]);
});

test("a total that falls by what was open counts as unchanged; a thread with the number of another one begins anew", () => {
  const times = new ThreadTimes();
  times.add([thread(10, 10, 100, 0)], [wait(10, 0, 50)], kindOf);
  times.add([thread(10, 10, 98, 0)], [wait(10, 0, 49)], kindOf);
  times.add([thread(10, 10, 103, 0)], [wait(10, 0, 51)], kindOf);
  expect(told(times, 10)).toEqual(["cpu main 103", "disk main 51"]);
  times.add([thread(10, 10, 4, 0, 2)], [wait(10, 0, 1)], kindOf);
  expect(told(times, 10)).toEqual(["cpu main 107", "disk main 52"]);
});

test("a thread that ended and one that comes later with its number are two, whatever they waited for", () => {
  const times = new ThreadTimes();
  times.add([thread(11, 10, 10, 0)], [wait(11, 0, 5)], kindOf);
  times.add([], [], kindOf);
  times.add([thread(11, 10, 3, 0)], [wait(11, 0, 5)], kindOf);
  expect(told(times, 10)).toEqual(["cpu 13", "disk 10"]);
  times.keep(new Set([99]));
  expect(told(times, 10)).toEqual([]);
});
