import { expect, test } from "vitest";
import {
  bootUnixMs,
  cpuFigures,
  diskFigures,
  memoryFigures,
  processFigures,
  throttlingFigures,
} from "./host-figures.ts";
import type { Figure } from "./otlp-metrics.ts";

const plain = (figures: readonly Figure[]): unknown[] =>
  figures.map(({ name, value, attributes = {} }) => [name, ...Object.values(attributes), value]);

test("time of each core by state, in seconds", () => {
  const stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 150 2 30 1000 40 5 6 7 0 0\nintr 1\nbtime 1700000000\n";
  expect(plain(cpuFigures(stat))).toEqual([
    ["system.cpu.time", "cpu0", "user", 1.5],
    ["system.cpu.time", "cpu0", "nice", 0.02],
    ["system.cpu.time", "cpu0", "system", 0.3],
    ["system.cpu.time", "cpu0", "idle", 10],
    ["system.cpu.time", "cpu0", "wait", 0.4],
    ["system.cpu.time", "cpu0", "interrupt", 0.05],
    ["system.cpu.time", "cpu0", "softirq", 0.06],
    ["system.cpu.time", "cpu0", "steal", 0.07],
  ]);
  expect(bootUnixMs(stat)).toBe(1_700_000_000_000);
});

test("a disk that is used, without its partitions", () => {
  const used = "10 1 200 3000 20 2 400 5000 0 600 8000 0 0 0 0 0 0";
  const text = `   7 0 loop0 ${used}\n 254 0 vda ${used}\n 254 1 vda1 ${used}\n 259 0 nvme0n1 ${used}\n 8 0 sdb 0 0 0 0 0 0 0 0 0 0 0\n`;
  const figures = plain(diskFigures(text)) as [string, string, ...unknown[]][];
  expect(new Set(figures.map(([, device]) => device))).toEqual(new Set(["vda", "nvme0n1"]));
  expect(figures.filter(([, device]) => device === "vda")).toEqual([
    ["system.disk.io", "vda", "read", 102_400],
    ["system.disk.io", "vda", "write", 204_800],
    ["system.disk.operations", "vda", "read", 10],
    ["system.disk.operations", "vda", "write", 20],
    ["system.disk.operation_time", "vda", "read", 3],
    ["system.disk.operation_time", "vda", "write", 5],
    ["system.disk.io_time", "vda", 0.6],
  ]);
});

test("memory by what it is used for", () => {
  const text = "MemTotal:  1000 kB\nMemFree:  400 kB\nMemAvailable: 800 kB\nBuffers:  50 kB\nCached:  250 kB\n";
  expect(plain(memoryFigures(text))).toEqual([
    ["system.memory.usage", "used", 300 * 1024],
    ["system.memory.usage", "free", 400 * 1024],
    ["system.memory.usage", "buffered", 50 * 1024],
    ["system.memory.usage", "cached", 250 * 1024],
  ]);
});

test("a process whose name holds brackets and blanks", () => {
  // Fields by proc(5): 4 parent, 14 user, 15 system, 22 start, 24 resident pages.
  const stat = "77 (a) b (c) S 5 6 7 8 9 10 11 12 13 14 250 50 17 18 20 0 1 0 600 999 3 1 2";
  const { parent, startUnixMs, figures } = processFigures(stat, 1_000_000, 4096);
  expect(parent).toBe(5);
  expect(startUnixMs).toBe(1_006_000);
  expect(plain(figures)).toEqual([
    ["process.cpu.time", "user", 2.5],
    ["process.cpu.time", "system", 0.5],
    ["process.memory.usage", 12_288],
  ]);
});

test.each([
  ["version 1", "nr_periods 10\nnr_throttled 4\nthrottled_time 2000000\n"],
  ["version 2", "usage_usec 5\nnr_periods 10\nnr_throttled 4\nthrottled_usec 2000\n"],
])("throttling as cgroups of %s tell it", (_, text) => {
  expect(plain(throttlingFigures(text))).toEqual([
    ["container.cpu.throttling_data.periods", 10],
    ["container.cpu.throttling_data.throttled_periods", 4],
    ["container.cpu.throttling_data.throttled_time", 2_000_000],
  ]);
});
