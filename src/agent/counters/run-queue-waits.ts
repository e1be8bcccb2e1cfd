import { readdirSync, readFileSync } from "node:fs";
import { labelBytes, type ResourceMetrics } from "../export/metric-points.ts";
import { PROCESS } from "./metrics.ts";
import type { SeenProcess } from "./process-table.ts";

const MAIN = labelBytes({ "longpole.thread": "main" });
const OTHER = labelBytes({ "longpole.thread": "other" });

/** Threads that are read in a scrape at most, 10 µs each; those of whom it is longest ago go first. */
const MOST_READ = 256;
/** A thread costs as much as a process does, and the kernel adds up by itself: oftener than that is not looked. */
const EVERY_MS = 4500;
/** Of one process: those beyond are read by turns. */
const MOST_OF_ONE = 64;

interface Known {
  readonly startTicks: number;
  ticks: number;
  /** in which look it was read last, and whether all of its threads were */
  look: number;
  isWhole: boolean;
  /** where its list of threads is gone on with, where not all were read */
  from: number;
  /** by thread: nanoseconds in the queue, as the kernel counts them since the thread began */
  readonly threads: Map<number, number>;
  mainNs: number;
  otherNs: number;
}

/**
 * What threads waited for a processor since this began to look, by /proc/PID/task/TID/schedstat, which everybody may read: for
 * hosts on which no probe counts it. A process is read where it took time of the processor since the last look: one that took
 * none waited for none. What a thread waited after its last look and before its end is missing.
 */
export class RunQueueWaits {
  private readonly known = new Map<number, Known>();
  private looks = 0;
  private lookedMs = Number.NaN;

  isDue(nowMs: number): boolean {
    return !(Math.abs(nowMs - this.lookedMs) < EVERY_MS);
  }

  look(processes: readonly SeenProcess[], nowMs: number): void {
    this.lookedMs = nowMs;
    this.looks++;
    const due = processes.filter(({ pid, stat }) => {
      const held = this.known.get(pid);
      return held === undefined || held.startTicks !== stat.startTicks || held.ticks !== ticksOf(stat);
    });
    const lookOf = ({ pid }: SeenProcess): number => this.known.get(pid)?.look ?? 0;
    due.sort((a, b) => lookOf(a) - lookOf(b) || a.pid - b.pid);
    let left = MOST_READ;
    for (const process of due) {
      if (left <= 0) break;
      left -= this.read(process, Math.min(left, MOST_OF_ONE));
    }
    const here = new Set(processes.map(({ pid }) => pid));
    for (const pid of this.known.keys()) if (!here.has(pid)) this.known.delete(pid);
  }

  add(into: ResourceMetrics, pid: number): void {
    const held = this.known.get(pid);
    if (held === undefined) return;
    into.add(PROCESS.cpuWait, held.mainNs / 1e9, MAIN);
    into.add(PROCESS.cpuWait, held.otherNs / 1e9, OTHER);
  }

  /** Returns how many threads were read. */
  private read({ pid, stat }: SeenProcess, most: number): number {
    let tids: number[];
    try {
      tids = readdirSync(`/proc/${pid}/task`).map(Number);
    } catch {
      // It has ended.
      return 1;
    }
    let held = this.known.get(pid);
    if (held?.startTicks !== stat.startTicks) {
      const nothing = { ticks: -1, look: 0, isWhole: false, from: 0, mainNs: 0, otherNs: 0 };
      this.known.set(pid, (held = { startTicks: stat.startTicks, threads: new Map(), ...nothing }));
    }
    const chosen =
      tids.length <= most ? tids : Array.from({ length: most }, (_, i) => tids[(held.from + i) % tids.length]!);
    for (const tid of chosen) {
      const ns = waitOf(pid, tid);
      if (Number.isNaN(ns)) continue;
      // A thread that was not there when all were read has waited since then; of others nobody knows since when.
      const before = held.threads.get(tid) ?? (held.isWhole ? 0 : ns);
      if (tid === pid) held.mainNs += Math.max(0, ns - before);
      else held.otherNs += Math.max(0, ns - before);
      held.threads.set(tid, ns);
    }
    const living = new Set(tids);
    for (const tid of held.threads.keys()) if (!living.has(tid)) held.threads.delete(tid);
    held.isWhole = held.threads.size === tids.length;
    held.from += chosen.length;
    held.look = this.looks;
    // Those of which a part was read are read on, whatever they do.
    held.ticks = chosen.length === tids.length ? ticksOf(stat) : -1;
    return chosen.length;
  }
}

const ticksOf = ({ userTicks, systemTicks }: SeenProcess["stat"]): number => userTicks + systemTicks;

/** Second number: nanoseconds on a queue. NaN where the thread has ended, or the kernel does not count it. */
function waitOf(pid: number, tid: number): number {
  try {
    const [, wait = ""] = readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "latin1").split(" ");
    return wait === "" ? Number.NaN : Number(wait);
  } catch {
    return Number.NaN;
  }
}
