import type { StackTable } from "./stack-table.ts";

/** Who collected a recording; the first that a host lets work, from the most that can be seen to the least. */
export const COLLECTORS = ["helper", "perf", "procfs"] as const;
export type Collector = (typeof COLLECTORS)[number];

/**
 * Where the threads of a process, and of those that it started meanwhile, spent a stretch of time.
 * Times are exact where the collector is the helper; stacks are samples, weighted so that they sum to the exact times.
 */
export interface ProcessRecording {
  readonly collector: Collector;
  readonly pid: number;
  /** as a person would type it */
  readonly command: string;
  /** of the program, without its folder */
  readonly name: string;
  readonly startUnixNs: bigint;
  readonly durationNs: number;
  readonly processors: number;
  readonly threads: readonly RecordedThread[];
  /** value 0: "cpu" in nanoseconds, value 1: "samples" */
  readonly onCpu: StackTable;
  /**
   * value 0: "off-cpu" in nanoseconds, value 1: "waits", a count. A sample's labels: "syscall", the name of the system
   * call, absent outside of one; "wait", what is known of it besides (`WAIT_MARKS`, joined by spaces).
   */
  readonly offCpu: StackTable;
  /**
   * value 0: "page-faults", a count, value 1: "page-fault-time" in nanoseconds. A sample's labels: "fault", major or minor;
   * "memory", what was touched: a file, "[heap]", "[stack]", "[anonymous]"; absent where that is not known.
   */
  readonly faults: StackTable;
  readonly counters: ProcessCounters;
  readonly histograms: readonly RecordedHistogram[];
  /** who took the processor away from the threads, most often first */
  readonly preemptedBy: readonly { readonly pid: number; readonly name: string; readonly count: number }[];
  readonly quality: RecordingQuality;
}

/** What the kernel says of a wait besides its system call. */
export const WAIT_MARKS = ["lock-held", "condition", "io", "uninterruptible", "stopped"] as const;
export type WaitMark = (typeof WAIT_MARKS)[number];

export interface RecordedThread {
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  /** of the recording, while it lived */
  readonly wallNs: number;
  readonly cpuNs: number;
  /** ready to run, but without a processor */
  readonly runnableNs: number;
  /** waiting for something else */
  readonly blockedNs: number;
  readonly waits: number;
  readonly preemptions: number;
  /** absent where it was not counted */
  readonly faults?: ThreadFaults;
}

/** Page faults of a thread while it was recorded. Their time is part of the thread's other times: minor ones of `cpuNs`. */
export interface ThreadFaults {
  /** found their page in memory, or made a new one; by probes an estimate, from one of so many that is seen */
  readonly minor: number;
  /** waited for a disk */
  readonly major: number;
  /**
   * from the beginning of the kernel's handler until the page is there; of minor faults without waits, and some are timed,
   * which stand for all. Absent where only the number is known.
   */
  readonly minorNs?: number;
  readonly majorNs?: number;
}

/** What the process's counters grew by while it was recorded. -1: could not be read. */
export interface ProcessCounters {
  readonly readCalls: number;
  readonly writeCalls: number;
  /** through system calls, to and from anything */
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** from and to disks */
  readonly diskReadBytes: number;
  readonly diskWrittenBytes: number;
  readonly minorFaults: number;
  readonly majorFaults: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  /** of all threads, by /proc/PID/schedstat: on the processor, and waiting for one */
  readonly schedRunNs: number;
  readonly schedWaitNs: number;
  /** of the process's control group: periods in which it ran out of its quota, and how long it was held back */
  readonly throttledPeriods: number;
  readonly throttledNs: number;
  /** cores per period; -1 without a quota */
  readonly quotaCores: number;
  readonly residentBytes: number;
  readonly swappedBytes: number;
}

export interface RecordedHistogram {
  readonly what: "run-queue" | "block-io" | "tcp-connect" | "tcp-connect-failed" | "kernel-lock" | "tcp-retransmit";
  /** block I/O: "8:0 write"; else "" */
  readonly which: string;
  readonly count: number;
  readonly sumNs: number;
  /** upper edges in nanoseconds, ascending, and how many lie at or below each but above the one before */
  readonly edgesNs: readonly number[];
  readonly counts: readonly number[];
}

export interface RecordingQuality {
  readonly samples: number;
  /** share of the samples whose stack leads to an outermost frame */
  readonly rooted: number;
  /** share of the frames that have a function's name */
  readonly named: number;
  readonly lostSamples: number;
  /** waits whose exact time is counted, but whose stack was left out to keep the cost down */
  readonly stacksSkipped: number;
  /** what this host did not let be seen, and why */
  readonly notObserved: readonly { readonly what: string; readonly why: string }[];
  readonly remarks: readonly string[];
  readonly cost: { readonly attachMs: number; readonly cpuNs: number; readonly residentBytes: number } | undefined;
}
