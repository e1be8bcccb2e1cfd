import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { StoreError } from "../store-error.ts";

/** A process that cannot be taken for a later one of the same number. */
interface ProcessMark {
  readonly pid: number;
  /** field 22 of /proc/PID/stat: ticks after boot at which it started */
  readonly startTicks: string;
}

interface LockFile {
  readonly owner: ProcessMark;
  readonly engine?: ProcessMark;
}

/** How long an engine whose parent is gone may take to notice. It takes milliseconds; a stopped one takes for ever. */
const ORPHAN_MS = 2000;

/** The right to run an engine on a data folder. ClickHouse holds a lock of its own; this one knows who has it. */
export class DataLock {
  private readonly file: string;
  private readonly owner: ProcessMark;

  private constructor(file: string, owner: ProcessMark) {
    this.file = file;
    this.owner = owner;
  }

  /**
   * Takes the lock. An engine that an earlier owner left behind is waited for, then killed: its parent is
   * gone, so nobody uses it. Throws StoreError "locked" where the owner lives.
   */
  static async take(file: string): Promise<DataLock> {
    const owner = markOf(process.pid);
    if (owner === undefined) throw new Error("no /proc/self/stat");
    for (let tries = 0; tries < 5; tries++) {
      try {
        writeFileSync(file, JSON.stringify({ owner } satisfies LockFile), { flag: "wx", mode: 0o600 });
        return new DataLock(file, owner);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const held = readLock(file);
      if (held !== undefined && isAlive(held.owner)) {
        throw new StoreError("locked", `the data folder is in use by process ${held.owner.pid} (${file})`);
      }
      if (held?.engine !== undefined) await endOrphan(held.engine);
      rmSync(file, { force: true });
    }
    throw new StoreError("locked", `${file} is taken again and again by others`);
  }

  /** Notes the engine's process, so that the next owner knows it. */
  noteEngine(pid: number): void {
    const engine = markOf(pid);
    const content: LockFile = engine === undefined ? { owner: this.owner } : { owner: this.owner, engine };
    writeFileSync(this.file, JSON.stringify(content), { mode: 0o600 });
  }

  release(): void {
    rmSync(this.file, { force: true });
  }
}

async function endOrphan(engine: ProcessMark): Promise<void> {
  for (let waited = 0; isAlive(engine); waited += 20) {
    if (waited >= ORPHAN_MS) process.kill(engine.pid, "SIGKILL");
    await delay(20);
  }
}

/** Nothing where the file is cut short: its writer died while writing it. */
function readLock(file: string): LockFile | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as LockFile;
  } catch {
    return undefined;
  }
}

function isAlive({ pid, startTicks }: ProcessMark): boolean {
  const now = markOf(pid);
  return now !== undefined && now.startTicks === startTicks;
}

function markOf(pid: number): ProcessMark | undefined {
  const fields = statFields(pid);
  // A zombie has ended; its parent has not looked yet.
  return fields === undefined || fields[0] === "Z" ? undefined : { pid, startTicks: fields[19]! };
}

/** Fields of /proc/PID/stat from the third on, the state; nothing where there is no such process. */
export function statFields(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
