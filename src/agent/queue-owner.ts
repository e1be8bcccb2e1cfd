import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseStat } from "./counters/process-table.ts";
import { SettingError } from "./export/export-settings.ts";

/** An agent that used a folder and is not there any more, though it never said that it ends. */
export interface LostAgent {
  readonly pid: number;
  /** when it last said that it lives, milliseconds since 1970 */
  readonly lastUnixMs: number;
  /** whether the machine was started anew since */
  readonly isOfEarlierBoot: boolean;
}

const FILE = "running.json";
/** It says so this often: whoever comes next wants to know the minute, not the second. */
const EVERY_MS = 10_000;

interface Note {
  readonly pid: number;
  /** of the process, in clock ticks after the boot: the number alone may be another process's by now */
  readonly startTicks: number;
  readonly boot: string;
}

/**
 * A note in the folder of the queue that this agent uses it. Of two agents in one folder each would send and remove what the
 * other one keeps there; and what ends a process without a word (SIGKILL, the kernel for want of memory, the mains) is told by
 * the agent that comes after it.
 */
export class QueueOwner {
  /** the one before, where it was lost */
  readonly lost: LostAgent | undefined;
  private readonly path: string;
  private toldMs: number;

  /** Throws a SettingError where another agent uses the folder, the system's error where it cannot be written. */
  constructor(folder: string, nowUnixMs: number) {
    this.path = join(folder, FILE);
    const [note, boot] = [readNote(this.path), bootId()];
    if (note !== undefined) {
      const isOfEarlierBoot = note.boot !== boot;
      if (!isOfEarlierBoot && note.pid !== process.pid && startTicksOf(note.pid) === note.startTicks)
        throw new SettingError(`${folder} is used by another agent, process ${note.pid}: --queue names another folder`);
      this.lost = { pid: note.pid, lastUnixMs: statSync(this.path).mtimeMs, isOfEarlierBoot };
    }
    const own: Note = { pid: process.pid, startTicks: startTicksOf(process.pid), boot };
    writeFileSync(this.path, JSON.stringify(own), { mode: 0o600 });
    this.toldMs = nowUnixMs;
  }

  /** Says that it lives. */
  lives(nowUnixMs: number): void {
    if (Math.abs(nowUnixMs - this.toldMs) < EVERY_MS) return;
    this.toldMs = nowUnixMs;
    try {
      utimesSync(this.path, nowUnixMs / 1000, nowUnixMs / 1000);
    } catch {
      // The folder was taken away or its disk is read-only by now: the queue, which needs it more, says so.
    }
  }

  /** It ends in order. */
  ends(): void {
    rmSync(this.path, { force: true });
  }
}

/** Undefined where there is none. One that is not to be understood is half of one: an agent was lost while it wrote it. */
function readNote(path: string): Note | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const nobody: Note = { pid: 0, startTicks: -1, boot: bootId() };
  try {
    const { pid, startTicks, boot } = JSON.parse(text) as Partial<Note>;
    if (typeof pid !== "number" || typeof startTicks !== "number" || typeof boot !== "string") return nobody;
    return { pid, startTicks, boot };
  } catch {
    return nobody;
  }
}

/** NaN, which equals nothing, where there is no such process. */
function startTicksOf(pid: number): number {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`))?.startTicks ?? Number.NaN;
  } catch {
    return Number.NaN;
  }
}

/** Of this start of the machine; "" where the kernel does not tell it. */
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return "";
  }
}
