import type { Figure } from "./otlp-metrics.ts";

/** The kernel counts in hundredths of a second towards programs, on all architectures that Node runs on (`USER_HZ`). */
const TICKS_PER_SECOND = 100;
/** Of /proc/diskstats, whatever the disk's own sectors are. */
const SECTOR_BYTES = 512;

const CPU_STATES = ["user", "nice", "system", "idle", "wait", "interrupt", "softirq", "steal"];

/** `system.cpu.time` of each core from the text of /proc/stat. */
export function cpuFigures(stat: string): Figure[] {
  return [...stat.matchAll(/^cpu(\d+) (.*)$/gm)].flatMap(([, core = "", counts = ""]) => {
    const ticks = counts.trim().split(/\s+/).map(Number);
    return CPU_STATES.map((state, i) => ({
      name: "system.cpu.time",
      unit: "s",
      kind: "total" as const,
      value: (ticks[i] ?? 0) / TICKS_PER_SECOND,
      attributes: { cpu: `cpu${core}`, state },
    }));
  });
}

/** When the machine started, from the text of /proc/stat. */
export function bootUnixMs(stat: string): number {
  return Number(/^btime (\d+)$/m.exec(stat)?.[1] ?? 0) * 1000;
}

/** `system.disk.*` from the text of /proc/diskstats; partitions and devices that were never used are left out. */
export function diskFigures(diskstats: string): Figure[] {
  return diskstats.split("\n").flatMap((line) => {
    const [, , device = "", ...texts] = line.trim().split(/\s+/);
    const counts = texts.map(Number);
    const [reads = 0, , sectorsRead = 0, readMs = 0, writes = 0, , sectorsWritten = 0, writeMs = 0, , busyMs = 0] =
      counts;
    if (reads + writes === 0 || /^(loop|ram|zram|dm-)|^(sd|vd|hd)[a-z]+\d+$|p\d+$/.test(device)) return [];
    const each = (name: string, unit: string, read: number, write: number): Figure[] => [
      { name, unit, kind: "total", value: read, attributes: { device, direction: "read" } },
      { name, unit, kind: "total", value: write, attributes: { device, direction: "write" } },
    ];
    return [
      ...each("system.disk.io", "By", sectorsRead * SECTOR_BYTES, sectorsWritten * SECTOR_BYTES),
      ...each("system.disk.operations", "{operations}", reads, writes),
      ...each("system.disk.operation_time", "s", readMs / 1000, writeMs / 1000),
      { name: "system.disk.io_time", unit: "s", kind: "total", value: busyMs / 1000, attributes: { device } },
    ];
  });
}

/** `system.memory.usage` by state, from the text of /proc/meminfo. */
export function memoryFigures(meminfo: string): Figure[] {
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(meminfo)?.[1] ?? 0) * 1024;
  const free = bytes("MemFree");
  const buffered = bytes("Buffers");
  const cached = bytes("Cached");
  const used = bytes("MemTotal") - free - buffered - cached;
  return Object.entries({ used, free, buffered, cached }).map(([state, value]) => ({
    name: "system.memory.usage",
    unit: "By",
    kind: "amount",
    value,
    attributes: { state },
  }));
}

export interface ProcessFigures {
  readonly parent: number;
  readonly startUnixMs: number;
  readonly figures: readonly Figure[];
}

/** `process.cpu.time` and `process.memory.usage` from the text of /proc/PID/stat. */
export function processFigures(stat: string, bootMs: number, pageBytes: number): ProcessFigures {
  // The name stands in brackets and may hold anything, brackets and blanks too.
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [, parent = 0] = fields;
  const [user = 0, system = 0] = fields.slice(11);
  const [startTicks = 0, , residentPages = 0] = fields.slice(19);
  const cpu = (state: string, ticks: number): Figure => ({
    name: "process.cpu.time",
    unit: "s",
    kind: "total",
    value: ticks / TICKS_PER_SECOND,
    attributes: { state },
  });
  return {
    parent,
    startUnixMs: bootMs + (startTicks / TICKS_PER_SECOND) * 1000,
    figures: [
      cpu("user", user),
      cpu("system", system),
      { name: "process.memory.usage", unit: "By", kind: "amount", value: residentPages * pageBytes },
    ],
  };
}

/** `container.cpu.throttling_data.*` from the text of a cgroup's cpu.stat, of either version of cgroups. */
export function throttlingFigures(cpuStat: string): Figure[] {
  const count = (name: string): number | undefined => {
    const found = new RegExp(`^${name} (\\d+)$`, "m").exec(cpuStat)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const total = (name: string, unit: string, value: number | undefined): Figure => ({
    name: `container.cpu.throttling_data.${name}`,
    unit,
    kind: "total",
    value: value ?? 0,
  });
  return [
    total("periods", "{periods}", count("nr_periods")),
    total("throttled_periods", "{periods}", count("nr_throttled")),
    total("throttled_time", "ns", count("throttled_time") ?? (count("throttled_usec") ?? 0) * 1000),
  ];
}
