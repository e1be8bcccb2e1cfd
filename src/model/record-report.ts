import type { Report } from "./report.ts";

/**
 * What a thread's time is told as: the kinds of a span's time that a host can see, and "throttled", which a
 * control group's quota took away.
 */
export const LEDGER_KINDS = [
  "cpu",
  "gc",
  "runnable",
  "throttled",
  "lock",
  "disk",
  "network",
  "callee",
  "sleep",
  "unexplained",
] as const;
export type LedgerKind = (typeof LEDGER_KINDS)[number];

/** A part of the wall time of threads. Shares are of that time, and those of a ledger sum to 1. */
export interface LedgerRow {
  readonly timeKind: LedgerKind;
  readonly share: number;
  readonly ms: number;
  /** what it consists of, most first; parts are of `ms` */
  readonly parts: readonly { readonly what: string; readonly ms: number; readonly count: number }[];
}

export interface ThreadLedger {
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly wallMs: number;
  /** of its wall time; waits for something to do are not work */
  readonly busyShare: number;
  /** `idleShare`: the part of `share` in which it had nothing to do */
  readonly ledger: readonly { readonly timeKind: LedgerKind; readonly share: number; readonly idleShare: number }[];
  /** page faults; times are absent where only the number is known, all where nothing is */
  readonly faults?: {
    readonly minor: number;
    readonly major: number;
    readonly minorMs?: number;
    readonly majorMs?: number;
  };
}

/** What a system call costs a process: processor time within it, and waits that are not for something to do. */
export interface SyscallRow {
  readonly syscall: string;
  readonly cpuMs: number;
  readonly waitMs: number;
  readonly waits: number;
  /** the function that makes most of it; "" where not known */
  readonly frame: string;
  /** functions of the kernel in which most of it goes, the outermost first */
  readonly kernelPath: readonly string[];
}

/** Page faults of a kind, of all threads together. Their time is part of the ledger's: of minor ones it is processor time. */
export interface PageFaultRow {
  readonly count: number;
  readonly perSecond: number;
  /** null where only the number is known */
  readonly ms: number | null;
  readonly meanMs: number | null;
  /** what was touched, most first: by stacks, so that what happens rarely may be missing */
  readonly places: readonly {
    /** a file, "[heap]", "[stack]", "[anonymous]"; "" where not known */
    readonly memory: string;
    /** the function that makes most of them; "" where not known */
    readonly frame: string;
    readonly count: number;
    readonly ms: number;
  }[];
}

/** The contract of `longpole record --json`: a report, and what the threads' time went to. */
export interface RecordReport extends Report {
  readonly ledger: readonly LedgerRow[];
  readonly recording: {
    readonly collector: string;
    readonly pid: number;
    readonly command: string;
    readonly name: string;
    readonly durationMs: number;
    /** of all threads together: the ledger's whole */
    readonly threadMs: number;
    readonly threads: readonly ThreadLedger[];
    /** threads with less time than those */
    readonly threadsLeft: number;
    readonly counters: Readonly<Record<string, number>>;
    /** most first */
    readonly syscalls: readonly SyscallRow[];
    /** found their page in memory, or made a new one; waited for a disk. null: not counted */
    readonly pageFaults: { readonly minor: PageFaultRow | null; readonly major: PageFaultRow | null };
    /** what took time besides, most in all first: the run queue, disks of the host, connections, locks of the kernel */
    readonly latencies: readonly {
      readonly what: string;
      /** of block I/O the device and the operation */
      readonly which: string;
      readonly count: number;
      readonly meanMs: number;
      /** within a fifth, as far as the histogram's steps tell */
      readonly p50Ms: number;
      readonly p99Ms: number;
    }[];
    /** who got the processor when a thread was taken off it, most often first; the ten first of them */
    readonly preemptedBy: readonly { readonly pid: number; readonly name: string; readonly count: number }[];
    readonly quality: {
      readonly samples: number;
      readonly rooted: number;
      readonly named: number;
      readonly lostSamples: number;
      readonly stacksSkipped: number;
      readonly notObserved: readonly { readonly what: string; readonly why: string }[];
      readonly remarks: readonly string[];
    };
    readonly cost: { readonly attachMs: number; readonly coreShare: number; readonly residentBytes: number } | null;
  };
}
