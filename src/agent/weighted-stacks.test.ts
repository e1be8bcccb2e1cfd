import { expect, test } from "vitest";
import { WaitDetail } from "./probe-stream.ts";
import type { FoundStack } from "./recorded-stacks.ts";
import { weightedSamples, weightedWaits } from "./weighted-stacks.ts";

const stack = (tid: number, syscall: number, address: number, detail = 0): FoundStack => ({
  tid,
  tgid: 10,
  syscall,
  detail,
  kernel: [],
  user: [address],
  isRooted: true,
});
const wait = (tid: number, syscall: number, ns: number, count: number, detail = 0) => ({
  tid,
  tgid: 10,
  syscall,
  detail,
  ns,
  count,
});
const told = (all: ReturnType<typeof weightedSamples>) =>
  all.map(({ stack: { tid, syscall, user }, values }) => [tid, syscall, user[0] ?? -1, ...values]);

test("samples of a thread share its time; a thread that no sample met stands alone, if it is worth a word", () => {
  const samples = [stack(1, -1, 5), stack(2, -1, 6), stack(1, -1, 7), stack(9, -1, 8)];
  const threads = [
    { tid: 1, tgid: 10, cpuNs: 100 },
    { tid: 2, tgid: 10, cpuNs: 30 },
    { tid: 3, tgid: 10, cpuNs: 20 },
    { tid: 4, tgid: 10, cpuNs: 19 },
  ];
  expect(told(weightedSamples(samples, threads, 20))).toEqual([
    [1, -1, 5, 50, 1],
    [2, -1, 6, 30, 1],
    [1, -1, 7, 50, 1],
    // Of a thread that was never told of.
    [9, -1, 8, 0, 1],
    [3, -1, -1, 20, 0],
  ]);
});

test("sampled waits share the time of their kind by their lengths, whether it began before the recording or not", () => {
  const sampled = [
    { stack: stack(1, 0, 5), ns: 30 },
    { stack: stack(1, 0, 6), ns: 10 },
    { stack: stack(1, 7, 6), ns: 10 },
  ];
  const waits = [wait(1, 0, 300, 6), wait(1, 0, 100, 2, WaitDetail.before), wait(1, 3, 50, 1), wait(1, 7, 9, 1)];
  expect(told(weightedWaits(sampled, waits, 10))).toEqual([
    [1, 0, 5, 300, 4],
    [1, 0, 6, 100, 4],
    // No stack of it was taken.
    [1, 3, -1, 50, 1],
  ]);
});
