import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { StackTable } from "../../model/stack-table.ts";
import type { ProbeRecord, RawStack } from "../probe-stream.ts";
import { ProbeWindow } from "./probe-window.ts";

/** More than any kernel gives out: a process at which nobody may look. */
const PID = 2 ** 23;
const FIRST = "10000-20000 r-xp 00000000 08:01 7 /srv/absent/first.so\n";
const SECOND = "50000-60000 r-xp 00001000 08:01 8 /srv/absent/second.so\n";

const stackAt = (ip: number): RawStack => ({
  tgid: PID,
  tid: PID,
  syscall: -1,
  timeNs: 0,
  value: 1,
  detail: 0,
  comm: "served",
  registers: { ip, sp: 0x7000, bp: 0, bx: 0 },
  address: 0,
  tookNs: 0,
  kernel: [],
  user: [ip],
  copy: Buffer.alloc(0),
});

const sample = (ip: number): ProbeRecord => ({ type: "sample", stack: stackAt(ip) });

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** The profile at a tick by which the thread had that much of the processor. */
function profileOf(window: ProbeWindow, cpuNs: number): StackTable {
  const totals = { lostEvents: 0, lostThreads: 0, lostWaits: 0, stacksSkipped: 0, ownNs: 0, programsNs: 0 };
  const thread = { tid: PID, tgid: PID, firstNs: 1, endedNs: 0, cpuNs, runnableNs: 0, blockedNs: 0 };
  window.take({ type: "thread", ...thread, waits: 0, preemptions: 0, comm: "served" });
  window.take({ type: "tick", ...totals, startedNs: 0, endedNs: 6e9, residentKb: 0, lostCounts: 0 });
  const at = { startUnixNs: 0n, durationNs: 6e9 };
  return window.profiles(
    at,
    () => "served",
    () => "served",
  )!.onCpu;
}

function names(window: ProbeWindow): string[] {
  const onCpu = profileOf(window, 5e9);
  const { strings } = onCpu;
  return Array.from({ length: strings.size }, (_, id) => strings.get(id)).filter((text) => text.includes(".so+"));
}

test("what a process of another user maps later is asked for, and named once the answer is there", () => {
  const asked: number[] = [];
  const window = new ProbeWindow((pid) => void asked.push(pid));
  window.take(sample(0x10010));
  expect(new Set(asked)).toEqual(new Set([PID]));
  window.see(PID, FIRST);
  asked.length = 0;
  vi.advanceTimersByTime(60_000);
  window.take(sample(0x10010));
  expect(asked).toEqual([]);
  window.take(sample(0x50020));
  expect(asked).toEqual([PID]);
  window.see(PID, FIRST + SECOND);
  expect(names(window).toSorted()).toEqual(["first.so+0x10", "second.so+0x1020"]);
});

test("of an address that lies in nothing the answer is asked for ever less often", () => {
  const asked: number[] = [];
  const window = new ProbeWindow((pid) => void asked.push(pid));
  for (let ms = 0; ms < 60_000; ms += 50) {
    window.take(sample(0xdead0));
    window.see(PID, FIRST);
    vi.advanceTimersByTime(50);
  }
  // First waits double from 20 ms to 10 s: some ten of them, and one in ten seconds.
  expect(asked.length).toBeGreaterThan(5);
  expect(asked.length).toBeLessThan(20);
});

test("an answer that comes too late, of a process that is not looked at any more, is not kept", () => {
  const asked: number[] = [];
  const window = new ProbeWindow((pid) => void asked.push(pid));
  window.take(sample(0x10010));
  window.keep(new Set());
  window.see(PID, FIRST);
  window.take(sample(0x10010));
  expect(names(window)).toEqual([]);
});

test("a total that fell since the last profile, by what was open then, makes no time of less than nothing", () => {
  const window = new ProbeWindow(() => {});
  profileOf(window, 5_000_000);
  window.take(sample(0x10010));
  const { samples } = profileOf(window, 4_900_000);
  expect([...samples.values[0]!.subarray(0, samples.rowCount)]).toEqual([0]);
});
