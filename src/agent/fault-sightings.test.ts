import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FaultSightings } from "./fault-sightings.ts";
import { WaitDetail, type FaultsRecord, type RawStack } from "./probe-stream.ts";
import type { FoundStack } from "./recorded-stacks.ts";

/** Of a process that nobody has: what it touched is not known. */
const NOBODY = 4_194_304;

function raw(tid: number, value: number, more: Partial<RawStack> = {}): RawStack {
  const registers = { ip: 0, sp: 0, bp: 0, bx: 0 };
  const at = { tgid: NOBODY, tid, syscall: -1, timeNs: 0, detail: 0, comm: "", address: 0x1000, tookNs: 0 };
  return { ...at, value, registers, kernel: [], user: [], copy: Buffer.alloc(0), ...more };
}

const stack = (tid: number, user: number): FoundStack => ({
  tgid: NOBODY,
  tid,
  syscall: -1,
  detail: 0,
  kernel: [],
  user: [user],
  isRooted: true,
});

const total = (tid: number, more: Partial<FaultsRecord>): FaultsRecord => ({
  type: "faults",
  tid,
  tgid: NOBODY,
  major: 0,
  majorNs: 0,
  minorSeen: 0,
  minorTimed: 0,
  minorNs: 0,
  ...more,
});

const major = { detail: WaitDetail.majorFault };

test("the stacks of a thread and kind share its number and time; minor faults by number, major ones by their own time", () => {
  const seen = new FaultSightings();
  seen.begin(6);
  seen.sight(raw(1, 3000), stack(1, 0x10));
  seen.sight(raw(1, 1000), stack(1, 0x20));
  seen.sight(raw(1, 4, { ...major, tookNs: 6e6 }), stack(1, 0x30));
  seen.sight(raw(1, 1, { ...major, tookNs: 2e6 }), stack(1, 0x40));
  // 800 of 4,800 minor ones are seen, 700 of these timed: 0.7 ms.
  seen.count(total(1, { major: 6, majorNs: 12e6, minorSeen: 800, minorTimed: 700, minorNs: 7e5 }));
  expect(seen.of(1)).toEqual({ minor: 4800, minorNs: 4.8e6, major: 6, majorNs: 12e6 });
  const shares = seen.weighted().map(({ stack: { user, fault }, values }) => [user[0], fault!.isMajor, ...values]);
  expect(shares).toEqual([
    [0x10, false, 3600, 3.6e6],
    [0x20, false, 1200, 1.2e6],
    [0x30, true, expect.closeTo(4.8, 9), expect.closeTo(9e6, 3)],
    [0x40, true, expect.closeTo(1.2, 9), expect.closeTo(3e6, 3)],
  ]);
});

test("a thread without faults has none; where none of them is timed, the time is not known", () => {
  const seen = new FaultSightings();
  seen.begin(3);
  seen.count(total(2, { minorSeen: 1 }));
  expect(seen.of(1)).toEqual({ minor: 0, minorNs: 0, major: 0, majorNs: 0 });
  expect(seen.of(2)).toEqual({ minor: 3, major: 0, majorNs: 0 });
});

test.runIf(process.platform === "linux")("what was touched is told by the process's own maps", () => {
  const seen = new FaultSightings();
  const [line] = [
    ...readFileSync("/proc/self/maps", "latin1").matchAll(/^([\da-f]+)-[\da-f]+ \S+ \S+ \S+ \d+\s+(\/\S+)$/gm),
  ];
  seen.sight(raw(1, 1, { tgid: process.pid, address: Number.parseInt(line![1]!, 16) + 8 }), stack(1, 0x10));
  seen.sight(raw(1, 1), stack(1, 0x20));
  expect(seen.weighted().map(({ stack: one }) => one.fault!.memory)).toEqual([line![2], ""]);
});
