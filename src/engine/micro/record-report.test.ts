import { expect, test } from "vitest";
import type { ProcessCounters, ProcessRecording, RecordedThread } from "../../model/process-recording.ts";
import { StackTableBuilder } from "../../model/stack-table-builder.ts";
import { FrameKind, type StackTable } from "../../model/stack-table.ts";
import { recordReport } from "./record-report.ts";

const MS = 1e6;

interface Row {
  readonly tid: number;
  /** the outermost first; `name@k` is the kernel's, `name@g` a collector's, `name@l` a library's */
  readonly stack: string;
  readonly ms: number;
  readonly count: number;
  readonly syscall?: string;
  readonly marks?: string;
  readonly fault?: "minor" | "major";
  readonly memory?: string;
}

const FILES: Readonly<Record<string, readonly [string, FrameKind]>> = {
  k: ["[kernel.kallsyms]", FrameKind.kernel],
  g: ["/usr/bin/node", FrameKind.gc],
  l: ["/usr/lib/libc.so.6", FrameKind.native],
  c: ["/tmp/perf-7.map", FrameKind.jit],
};

function tableOf(types: readonly [string, string], rows: readonly Row[]): StackTable {
  const builder = new StackTableBuilder();
  const text = (value: string): number => builder.strings.intern(value);
  builder.valueType(types[0], "nanoseconds");
  builder.valueType(types[1], "count");
  const process = builder.process({ name: text("shop"), pid: 1 });
  const threads = new Map<number, number>();
  for (const { tid, stack, ms, count, syscall, marks, fault, memory } of rows) {
    let row = -1;
    for (const part of stack.split(" ")) {
      const [name, where = ""] = part.split("@");
      const [file, kind] = FILES[where] ?? ["/srv/shop", FrameKind.native];
      row = builder.stack(row, builder.frame(text(name!), text(file), -1, kind));
    }
    if (!threads.has(tid)) threads.set(tid, builder.thread(process, tid, text(`t${tid}`)));
    const labels = [
      ...(syscall === undefined ? [] : [{ key: text("syscall"), value: text(syscall), isText: true }]),
      ...(marks === undefined ? [] : [{ key: text("wait"), value: text(marks), isText: true }]),
      ...(fault === undefined ? [] : [{ key: text("fault"), value: text(fault), isText: true }]),
      ...(memory === undefined ? [] : [{ key: text("memory"), value: text(memory), isText: true }]),
    ];
    const sample = builder.sample(row, threads.get(tid)!, -1, builder.labelSet(labels));
    builder.setValue(sample, 0, ms * MS);
    builder.setValue(sample, 1, count);
  }
  return builder.finish();
}

const NO_COUNTERS: ProcessCounters = {
  readCalls: -1,
  writeCalls: -1,
  readBytes: -1,
  writtenBytes: -1,
  diskReadBytes: -1,
  diskWrittenBytes: -1,
  minorFaults: -1,
  majorFaults: -1,
  voluntarySwitches: -1,
  involuntarySwitches: -1,
  schedRunNs: -1,
  schedWaitNs: -1,
  throttledPeriods: -1,
  throttledNs: -1,
  quotaCores: -1,
  residentBytes: -1,
  swappedBytes: -1,
};

const thread = (tid: number, cpu: number, runnable: number, blocked: number): RecordedThread => ({
  pid: 1,
  tid,
  name: `t${tid}`,
  wallNs: (cpu + runnable + blocked) * MS,
  cpuNs: cpu * MS,
  runnableNs: runnable * MS,
  blockedNs: blocked * MS,
  waits: 1,
  preemptions: 0,
});

function recording(
  threads: readonly RecordedThread[],
  onCpu: readonly Row[],
  offCpu: readonly Row[],
  counters: Partial<ProcessCounters> = {},
): ProcessRecording {
  return {
    collector: "helper",
    pid: 1,
    command: "/srv/shop",
    name: "shop",
    startUnixNs: 1_790_000_000_000_000_000n,
    durationNs: 10_000 * MS,
    processors: 2,
    threads,
    onCpu: tableOf(["cpu", "samples"], onCpu),
    offCpu: tableOf(["off-cpu", "waits"], offCpu),
    faults: tableOf(["page-faults", "samples"], []),
    counters: { ...NO_COUNTERS, ...counters },
    histograms: [],
    preemptedBy: [],
    quality: {
      samples: onCpu.length,
      rooted: 1,
      named: 1,
      lostSamples: 0,
      stacksSkipped: 0,
      notObserved: [],
      remarks: [],
      cost: undefined,
    },
  };
}

const report = (one: ProcessRecording) => recordReport(one, (flags) => `longpole record ${flags}`);
const shares = (one: ProcessRecording) =>
  Object.fromEntries(report(one).ledger.map(({ timeKind, share }) => [timeKind, share]));
const findings = (one: ProcessRecording) =>
  report(one).findings.map(({ mechanism, severity, subject: { frame, syscall } }) => [
    mechanism,
    severity,
    frame ?? "",
    syscall ?? "",
  ]);

const NAP: Row = {
  tid: 1,
  stack: "main nap clock_nanosleep@l do_nanosleep@k",
  ms: 5000,
  count: 50,
  syscall: "clock_nanosleep",
};
const SYNC: Row = {
  tid: 1,
  stack: "main save fsync@l io_schedule@k",
  ms: 1500,
  count: 300,
  syscall: "fsync",
  marks: "io",
};
/** A hundred samples of 30 ms. */
const BURN: readonly Row[] = Array.from({ length: 100 }, () => ({ tid: 1, stack: "main burn", ms: 30, count: 1 }));

test("half asleep, three tenths busy, fsync and a queue: the ledger by hand", () => {
  // 5.0 s nap + 1.5 s fsync + 3.0 s processor + 0.5 s queue = 10 s.
  const found = shares(recording([thread(1, 3000, 500, 6500)], BURN, [NAP, SYNC]));
  expect(found).toEqual({ cpu: 0.3, runnable: 0.05, disk: 0.15, sleep: 0.5 });
});

test("each with its function and system call; what may be pacing comes last", () => {
  expect(findings(recording([thread(1, 3000, 500, 6500)], BURN, [NAP, SYNC]))).toEqual([
    ["slow-code", "warning", "burn (shop)", ""],
    ["fixed-delay", "warning", "nap (shop)", "clock_nanosleep"],
    ["fsync", "warning", "save (shop)", "fsync"],
  ]);
});

test("compiled code without names is called that, and how to get the names comes before any change", () => {
  const burn = BURN.map((row) => ({ ...row, stack: "[perf-7.map]@c" }));
  const { findings: found } = report(recording([thread(1, 3000, 500, 6500)], burn, [NAP, SYNC]));
  const code = found.find(({ mechanism }) => mechanism === "slow-code")!;
  expect(code.title).toBe("code compiled at run time takes 100 % of the processor time of thread t1");
  expect(code.remedy.text).toContain("--perf-basic-prof");
});

test("a part of a second thread that nothing tells is unexplained, not spread over the others", () => {
  const found = shares(recording([thread(1, 0, 0, 5000), thread(2, 1000, 0, 4000)], [], [NAP]));
  expect(found).toEqual({ cpu: 0.1, sleep: 0.5, unexplained: 0.4 });
});

test("throttled time is part of the wait for a processor, and no more than that", () => {
  const part = recording([thread(1, 1000, 4000, 5000)], [], [NAP], {
    throttledNs: 1000 * MS,
    throttledPeriods: 20,
    quotaCores: 0.5,
  });
  expect(shares(part)).toMatchObject({ throttled: 0.1, runnable: 0.3 });
  const all = recording([thread(1, 1000, 4000, 5000)], [], [NAP], {
    throttledNs: 9000 * MS,
    throttledPeriods: 99,
    quotaCores: 0.5,
  });
  expect(shares(all)).toMatchObject({ throttled: 0.4 });
  expect(findings(all)[0]!.slice(0, 2)).toEqual(["cpu-throttled", "warning"]);
  expect(report(all).findings[0]!.remedy.change).toBe("cpu quota: 0.50 -> 1 cores");
});

test("collection of garbage is split off by the samples; what is usual is kept in the gain", () => {
  // 40 of 100 samples: 1.2 of 3 s.
  const gc = BURN.map((row, i) =>
    i < 40 ? { ...row, stack: "main parse v8::internal::Heap::CollectGarbage@g" } : row,
  );
  const one = recording([thread(1, 3000, 0, 7000)], gc, [{ ...NAP, ms: 7000 }]);
  expect(shares(one)).toMatchObject({ gc: 0.12, cpu: 0.18 });
  const found = report(one).findings.find(({ mechanism }) => mechanism === "garbage-collection")!;
  // 40 % less the usual 5 % of 3 s.
  expect(found.impact.now - found.impact.predicted).toBeCloseTo(1050, 6);
});

test("many small writes: by the samples in the call and the counters of calls", () => {
  const writing = BURN.map((row, i) =>
    i < 50 ? { ...row, stack: "main append write@l ksys_write@k", syscall: "write" } : row,
  );
  const few = { writeCalls: 100, writtenBytes: 100 * 65536 };
  const many = { writeCalls: 100_000, writtenBytes: 400_000 };
  const one = (counters: Partial<ProcessCounters>) =>
    recording([thread(1, 3000, 0, 7000)], writing, [{ ...NAP, ms: 7000 }], counters);
  expect(findings(one(many))).toContainEqual(["excessive-syscalls", "warning", "append (shop)", "write"]);
  expect(findings(one(few)).map(([mechanism]) => mechanism)).not.toContain("excessive-syscalls");
});

test("a server with nothing to do, and its idle workers, are healthy", () => {
  const poll: Row = {
    tid: 1,
    stack: "main uv_run epoll_pwait@l do_epoll_wait@k",
    ms: 9990,
    count: 10,
    syscall: "epoll_pwait",
  };
  const worker: Row = {
    tid: 2,
    stack: "start worker pthread_cond_wait@l futex_do_wait@k",
    ms: 10_000,
    count: 1,
    syscall: "futex",
    marks: "condition",
  };
  const one = recording([thread(1, 10, 0, 9990), thread(2, 0, 0, 10_000)], [], [poll, worker]);
  expect(report(one).findings).toEqual([]);
  expect(report(one).healthy).toBe(true);
  expect(shares(one)).toMatchObject({ network: 9990 / 20_000, sleep: 0.5 });
});

test("a mutex that others hold: the thread that waits most stands for it", () => {
  const lock = (tid: number, ms: number): Row => ({
    tid,
    stack: "start update lll_lock_wait@l futex_do_wait@k",
    ms,
    count: 1000,
    syscall: "futex",
    marks: "lock-held",
  });
  const one = recording([thread(1, 1000, 0, 9000), thread(2, 2000, 0, 8000)], [], [lock(1, 9000), lock(2, 8000)]);
  expect(findings(one)).toEqual([["lock-contention", "critical", "update (shop)", "futex"]]);
  const [found] = report(one).findings;
  expect([found!.impact.endpoint.operation, found!.impact.now, found!.impact.predicted]).toEqual([
    "thread t1",
    10_000,
    1000,
  ]);
});

test("the same recording, the same ids; another function, another id", () => {
  const id = (stack: string) =>
    report(recording([thread(1, 0, 0, 10_000)], [], [{ ...SYNC, ms: 10_000, stack }])).findings[0]!.id;
  expect(id("main save fsync@l")).toBe(id("main save fsync@l"));
  expect(id("main save fsync@l")).not.toBe(id("main store fsync@l"));
});

/** Values of faults: number, time. */
function withFaults(one: ProcessRecording, rows: readonly Row[]): ProcessRecording {
  const table = tableOf(["page-fault-time", "page-faults"], rows);
  const [times, counts] = table.samples.values;
  return { ...one, faults: { ...table, samples: { ...table.samples, values: [counts!, times!] } } };
}

/** A thread of ten seconds: 1 s on the processor, 6 s of 3,000 page faults that read a file, 3 s of sleep. */
const READING: ProcessRecording = withFaults(
  recording(
    [{ ...thread(1, 1000, 0, 9000), faults: { minor: 40, minorNs: 0.08 * MS, major: 3000, majorNs: 6100 * MS } }],
    [],
    [
      { tid: 1, stack: "main scan folio_wait_bit@k", ms: 6000, count: 3000, marks: "io uninterruptible" },
      { ...NAP, ms: 3000 },
    ],
    { minorFaults: 40, majorFaults: 3000, residentBytes: 2e6 },
  ),
  [
    { tid: 1, stack: "main scan", ms: 5900, count: 2900, fault: "major", memory: "/srv/data.bin" },
    { tid: 1, stack: "main load", ms: 200, count: 100, fault: "major", memory: "/srv/shop" },
    { tid: 1, stack: "main load", ms: 0.08, count: 40, fault: "minor", memory: "[heap]" },
  ],
);

test("waits for pages of a file: one finding, with the file, the function and the time of the thread", () => {
  const found = report(READING).findings.filter(({ mechanism }) => mechanism === "memory-pressure");
  expect(found.map(({ title, subject: { frame, resource } }) => [title, frame, resource])).toEqual([
    [
      "300 major page faults a second, 6.10 s of 10.0 s of thread t1, reading /srv/data.bin from scan (shop)",
      "scan (shop)",
      "/srv/data.bin",
    ],
  ]);
  expect(found[0]!.severity).toBe("critical");
  expect(found[0]!.remedy.text).toContain("MADV_WILLNEED");
  // The time is the ledger's already, as disk.
  expect(shares(READING)).toMatchObject({ cpu: 0.1, disk: 0.6, sleep: 0.3 });
});

test("page faults by kind: number, rate, time, and what was touched by whom", () => {
  const { major, minor } = report(READING).recording.pageFaults;
  expect(major).toMatchObject({ count: 3000, perSecond: 300, ms: 6100 });
  expect(major!.meanMs).toBeCloseTo(6100 / 3000, 12);
  expect(major!.places.map(({ memory, frame, count, ms }) => [memory, frame, count, ms])).toEqual([
    ["/srv/data.bin", "scan (shop)", 2900, 5900],
    ["/srv/shop", "load (shop)", 100, 200],
  ]);
  expect(minor!.count).toBe(40);
  const uncounted = recording([thread(1, 0, 0, 10_000)], [], [NAP]);
  expect(report(uncounted).recording.pageFaults).toEqual({ minor: null, major: null });
  const numbers = { ...uncounted, counters: { ...NO_COUNTERS, minorFaults: 7, majorFaults: 0 } };
  expect(report(numbers).recording.pageFaults.minor).toMatchObject({ count: 7, ms: null, meanMs: null });
});

/** 2.4 s of 3 s on the processor in 1.2 million faults: 4.9 GB mapped, of which the process has `residentBytes` in the end. */
const churning = (residentBytes: number, memory: string): ProcessRecording =>
  withFaults(
    recording(
      [{ ...thread(1, 3000, 0, 7000), faults: { minor: 1_200_000, minorNs: 2400 * MS, major: 0, majorNs: 0 } }],
      BURN,
      [{ ...NAP, ms: 7000 }],
      { minorFaults: 1_200_000, majorFaults: 0, residentBytes },
    ),
    [{ tid: 1, stack: "main build fill", ms: 2400, count: 1_200_000, fault: "minor", memory }],
  );

test.each([
  [
    "memory that is given back each time",
    3e6,
    "[anonymous]",
    /^allocation churn: 120,000 minor .* cost 80 % /,
    /M_TRIM/,
  ],
  ["memory that is kept", 4.9e9, "[heap]", /^touching new memory: 120,000 minor/, /MAP_POPULATE/],
  ["pages of a file", 3e6, "/srv/data.bin", /^touching \/srv\/data\.bin: /, /Map \/srv\/data\.bin once/],
])("minor faults that cost much of the processor: %s", (_, residentBytes, memory, title, remedy) => {
  const one = churning(residentBytes, memory);
  const found = report(one).findings.find(({ subject: { resource } }) => resource === "memory")!;
  expect(found).toMatchObject({ mechanism: "slow-code", severity: "warning", subject: { frame: "fill (shop)" } });
  expect(found.title).toMatch(title);
  expect(found.remedy.text).toMatch(remedy);
  expect(found.impact.now - found.impact.predicted).toBeCloseTo(2400, 6);
  const cpu = report(one).ledger.find(({ timeKind }) => timeKind === "cpu")!;
  expect(cpu.parts).toEqual([{ what: "minor page faults", ms: 2400, count: 1_200_000 }]);
});

test("faults of a thread whose time was too short to be told are no finding, and no share of nothing", () => {
  const faults = { minor: 31, minorNs: 20_000, major: 1, majorNs: 90_000 };
  const one = recording([{ ...thread(1, 0, 0, 0), faults }], [], []);
  expect(report(one).findings.filter(({ title }) => /page fault|NaN|Infinity/.test(title))).toEqual([]);
});

test("few page faults are no finding", () => {
  const faults = { minor: 50_000, minorNs: 50 * MS, major: 3, majorNs: 9 * MS };
  const one = recording([{ ...thread(1, 3000, 0, 7000), faults }], BURN, [{ ...NAP, ms: 7000 }]);
  expect(report(one).findings.filter(({ subject: { resource } }) => resource !== undefined)).toEqual([]);
});
