import type { LedgerKind, SyscallRow } from "./record-report.ts";

/** What the threads of one process spent a stretch of time on, as `longpole record --json` and the agent tell it. */
export interface ProcessLedger {
  /** the file that it was read from, or what sent it */
  readonly source: string;
  /** `service.name` where the source says it; "" otherwise */
  readonly service: string;
  /** of the program, without its folder */
  readonly name: string;
  readonly pid: number;
  readonly startUnixNs: bigint;
  readonly durationNs: number;
  readonly threads: readonly LedgerThread[];
  /** what the waits were by kind, most first: "fsync", "mutex" */
  readonly parts: readonly { readonly kind: LedgerKind; readonly what: string; readonly ns: number }[];
  /** who got the processor when a thread was taken off it, most often first */
  readonly preemptedBy: readonly { readonly pid: number; readonly name: string; readonly count: number }[];
  /** what its system calls cost, most first; empty where the source does not tell */
  readonly syscalls: readonly SyscallRow[];
  /**
   * what it asked disks for, how long it waited for locks of the kernel itself, and for pages of its memory that were read from
   * a disk; absent where nothing tells, or there was none
   */
  readonly blockIo?: KernelTime & { readonly bytes: number };
  readonly kernelLocks?: KernelTime;
  readonly majorFaults?: KernelTime;
}

/** How often something happened within the kernel, and how long it took altogether. */
export interface KernelTime {
  readonly count: number;
  readonly ns: number;
}

export interface LedgerThread {
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly wallNs: number;
  readonly times: readonly LedgerTime[];
}

export interface LedgerTime {
  readonly kind: LedgerKind;
  readonly ns: number;
  /** the part in which the thread had nothing to do, at most `ns` */
  readonly idleNs: number;
}
