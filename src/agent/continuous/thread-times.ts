import type { LedgerKind } from "../../model/record-report.ts";

/** A thread's totals as the helper tells them at a tick. */
export interface ThreadTotals {
  readonly tid: number;
  readonly tgid: number;
  /** with the number it tells a thread from a later one */
  readonly firstNs: number;
  readonly cpuNs: number;
  readonly runnableNs: number;
}

/** The total of one kind of wait of a thread. */
export interface WaitTotals {
  readonly tid: number;
  readonly syscall: number;
  readonly detail: number;
  readonly ns: number;
}

/** What a wait is for. */
export interface WaitKind {
  readonly kind: LedgerKind;
  readonly isIdle: boolean;
}

/** Times of a process by what they went to, since it was first looked at. */
export interface ProcessTime {
  readonly kind: LedgerKind;
  /** of the thread whose number is the process's, or of the others */
  readonly isMain: boolean;
  readonly isIdle: boolean;
  ns: number;
}

interface Held {
  readonly firstNs: number;
  readonly tgid: number;
  cpuNs: number;
  runnableNs: number;
  readonly waits: Map<string, number>;
  isSeen: boolean;
}

/**
 * Adds up what threads spent their time on, process by process, from totals that the helper repeats at each tick. A total
 * that fell, by the last nanoseconds of what was open, counts as unchanged.
 */
export class ThreadTimes {
  private readonly threads = new Map<number, Held>();
  private readonly processes = new Map<number, Map<string, ProcessTime>>();

  /** Takes in the totals of one tick; `kindOf` says what a wait of a thread is for. */
  add(
    threads: readonly ThreadTotals[],
    waits: readonly WaitTotals[],
    kindOf: (tgid: number, wait: WaitTotals) => WaitKind,
  ): void {
    for (const held of this.threads.values()) held.isSeen = false;
    for (const { tid, tgid, firstNs, cpuNs, runnableNs } of threads) {
      let held = this.threads.get(tid);
      if (held === undefined || held.firstNs !== firstNs)
        this.threads.set(tid, (held = { firstNs, tgid, cpuNs: 0, runnableNs: 0, waits: new Map(), isSeen: true }));
      held.isSeen = true;
      const isMain = tid === tgid;
      this.count(tgid, "cpu", isMain, false, cpuNs - held.cpuNs);
      this.count(tgid, "runnable", isMain, false, runnableNs - held.runnableNs);
      held.cpuNs = Math.max(held.cpuNs, cpuNs);
      held.runnableNs = Math.max(held.runnableNs, runnableNs);
    }
    for (const wait of waits) {
      const held = this.threads.get(wait.tid);
      if (held === undefined) continue;
      const key = `${wait.syscall} ${wait.detail}`;
      const before = held.waits.get(key) ?? 0;
      if (wait.ns <= before) continue;
      const { kind, isIdle } = kindOf(held.tgid, wait);
      this.count(held.tgid, kind, wait.tid === held.tgid, isIdle, wait.ns - before);
      held.waits.set(key, wait.ns);
    }
    // What is not told of any more has ended.
    for (const [tid, held] of this.threads) if (!held.isSeen) this.threads.delete(tid);
  }

  /** Of a process, none where it was not looked at. */
  of(pid: number): Iterable<ProcessTime> {
    return this.processes.get(pid)?.values() ?? [];
  }

  /** Drops processes that are not among these. */
  keep(pids: ReadonlySet<number>): void {
    for (const pid of this.processes.keys()) if (!pids.has(pid)) this.processes.delete(pid);
  }

  private count(tgid: number, kind: LedgerKind, isMain: boolean, isIdle: boolean, ns: number): void {
    if (!(ns > 0)) return;
    let times = this.processes.get(tgid);
    if (times === undefined) this.processes.set(tgid, (times = new Map()));
    const key = `${kind} ${isMain} ${isIdle}`;
    const held = times.get(key);
    if (held === undefined) times.set(key, { kind, isMain, isIdle, ns });
    else held.ns += ns;
  }
}
