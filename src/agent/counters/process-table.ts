import { readdirSync } from "node:fs";
import { KeptFile, lastRead } from "./kept-file.ts";

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
  /** whether the last look found another stat than the one before: in time, faults, memory, threads or state */
  isChanged: boolean;
  /** of it the table knows since this number of looks */
  looks: number;
  /** stat as it was read last, and how many bytes of this are of it */
  text: Uint8Array;
  size: number;
  status: KeptFile | undefined;
  readonly statFile: KeptFile;
}

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
      const size = known.statFile.load();
      // Most processes of a host sleep: what is as it was need not be understood again.
      known.isChanged = !isAsRead(known, size);
      const stat = known.isChanged ? parseStat(lastRead, size) : known.stat;
      if (stat !== undefined && stat.startTicks === known.stat.startTicks) {
        if (known.isChanged) keep(known, size);
        known.stat = stat;
        known.looks++;
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
      const size = statFile.load();
      const stat = parseStat(lastRead, size);
      if (stat !== undefined) {
        const text = new Uint8Array(lastRead.subarray(0, size));
        this.processes.set(pid, { pid, stat, isChanged: true, looks: 1, text, size, status: undefined, statFile });
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

/** Whether what was just read is what the look before read. */
function isAsRead({ text, size }: SeenProcess, readSize: number): boolean {
  if (readSize !== size) return false;
  for (let i = 0; i < size; i++) if (text[i] !== lastRead[i]) return false;
  return true;
}

function keep(process: SeenProcess, size: number): void {
  // Its numbers become longer as they grow.
  if (size > process.text.length) process.text = new Uint8Array(size + 64);
  process.text.set(lastRead.subarray(0, size));
  process.size = size;
}

/** PF_KTHREAD of the kernel's flags. */
const KERNEL_THREAD = 0x0020_0000;
/** Fields behind the name, up to the resident pages. */
const FIELDS = 22;
const [OPEN, CLOSE, MINUS, ZERO] = [0x28, 0x29, 0x2d, 0x30];
const numbers = new Float64Array(FIELDS);

/**
 * Undefined where the first `size` bytes are none of a stat file. The name stands in brackets and may hold anything,
 * brackets and blanks too.
 */
export function parseStat(bytes: Buffer, size: number = bytes.length): ProcessStat | undefined {
  if (size === 0) return undefined;
  const open = bytes.indexOf(OPEN);
  const close = bytes.lastIndexOf(CLOSE, size - 1);
  if (open < 0 || close < open) return undefined;
  // Behind the bracket stand a blank, the letter of the state, and a blank before each number.
  let at = close + 4;
  for (let field = 1; field < FIELDS; field++) {
    const isNegative = bytes[at] === MINUS;
    if (isNegative) at++;
    const from = at;
    let value = 0;
    for (; at < size; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (at === from) return undefined;
    numbers[field] = isNegative ? -value : value;
    at++;
  }
  return {
    name: bytes.toString("latin1", open + 1, close),
    state: String.fromCharCode(bytes[close + 2]!),
    parent: numbers[1]!,
    isKernel: (numbers[6]! & KERNEL_THREAD) !== 0,
    minorFaults: numbers[7]!,
    majorFaults: numbers[9]!,
    userTicks: numbers[11]!,
    systemTicks: numbers[12]!,
    threads: numbers[17]!,
    startTicks: numbers[19]!,
    virtualBytes: numbers[20]!,
    residentPages: numbers[21]!,
  };
}
