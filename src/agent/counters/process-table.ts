import { readdirSync } from "node:fs";
import { KeptFile } from "./kept-file.ts";

/** Of all architectures that the helper is built for; pages of 16 and 64 KiB are those of some ARM kernels. */
export const PAGE_BYTES = 4096;

/** What /proc/PID/stat says, see proc_pid_stat(5). */
export interface ProcessStat {
  readonly name: string;
  readonly state: string;
  readonly parent: number;
  readonly isKernel: boolean;
  readonly minorFaults: number;
  readonly majorFaults: number;
  readonly userTicks: number;
  readonly systemTicks: number;
  readonly threads: number;
  /** clock ticks after boot: with the number it tells a process from a later one */
  readonly startTicks: number;
  readonly virtualBytes: number;
  readonly residentPages: number;
}

/** A process that lives, or did so at the last look. */
export interface SeenProcess {
  readonly pid: number;
  stat: ProcessStat;
  /** of it the table knows since this number of looks */
  looks: number;
  status: KeptFile | undefined;
  readonly statFile: KeptFile;
}

/** Descriptors that are kept open for files of processes; beyond them files are opened each time. */
const MOST_KEPT = 6000;
/** Threads of the kernel neither end nor matter; that a number is still one's is looked at now and then. */
const KERNEL_EVERY = 30;

/**
 * All processes of this host, look after look. A number that another process has meanwhile is another process: what was
 * opened of the first one reads nothing any more.
 */
export class ProcessTable {
  readonly processes: Map<number, SeenProcess> = new Map<number, SeenProcess>();
  /** that went away between being listed and being read, since the start */
  exitedWhileRead = 0;
  /** called with each that has ended */
  private readonly onEnd: (process: SeenProcess) => void;
  private looks = 0;

  constructor(onEnd: (process: SeenProcess) => void = () => {}) {
    this.onEnd = onEnd;
  }

  /** Looks at all of them. */
  look(): void {
    this.looks++;
    const here = new Set<number>();
    for (const name of readdirSync("/proc")) {
      const pid = Number(name);
      if (!(pid > 0)) continue;
      here.add(pid);
      const known = this.processes.get(pid);
      if (known?.stat.isKernel === true && (known.looks + pid) % KERNEL_EVERY !== 0) {
        known.looks++;
        continue;
      }
      if (known !== undefined && this.again(known)) continue;
      this.first(pid);
    }
    for (const [pid, process] of this.processes) if (!here.has(pid)) this.end(process);
  }

  close(): void {
    for (const process of this.processes.values()) closeAll(process);
    this.processes.clear();
  }

  private again(known: SeenProcess): boolean {
    try {
      const stat = parseStat(known.statFile.read());
      if (stat !== undefined && stat.startTicks === known.stat.startTicks) {
        known.stat = stat;
        known.looks++;
        // Beyond the limit nothing stays open.
        if (this.processes.size > MOST_KEPT / 2) closeAll(known);
        return true;
      }
    } catch {
      // ESRCH: it has ended, whoever has its number now.
    }
    this.end(known);
    return false;
  }

  private first(pid: number): void {
    const statFile = new KeptFile(`/proc/${pid}/stat`, true);
    try {
      const stat = parseStat(statFile.read());
      if (stat !== undefined) {
        this.processes.set(pid, { pid, stat, looks: 1, status: undefined, statFile });
        return;
      }
    } catch {
      // Counted below.
    }
    this.exitedWhileRead++;
    statFile.close();
  }

  private end(process: SeenProcess): void {
    closeAll(process);
    this.processes.delete(process.pid);
    this.onEnd(process);
  }
}

function closeAll(process: SeenProcess): void {
  process.statFile.close();
  process.status?.close();
}

/** PF_KTHREAD of the kernel's flags. */
const KERNEL_THREAD = 0x0020_0000;

/** Undefined where the text is none of a stat file. The name stands in brackets and may hold anything, brackets and blanks too. */
export function parseStat(text: string): ProcessStat | undefined {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  if (open < 0 || close < open) return undefined;
  const fields = text.slice(close + 2).split(" ");
  if (fields.length < 22) return undefined;
  const number = (at: number): number => Number(fields[at]);
  return {
    name: text.slice(open + 1, close),
    state: fields[0]!,
    parent: number(1),
    isKernel: (number(6) & KERNEL_THREAD) !== 0,
    minorFaults: number(7),
    majorFaults: number(9),
    userTicks: number(11),
    systemTicks: number(12),
    threads: number(17),
    startTicks: number(19),
    virtualBytes: number(20),
    residentPages: number(21),
  };
}
