import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { numberAfter } from "./host-figures.ts";
import { KeptFile } from "./kept-file.ts";

/** What a process's counters are that its owner alone may read; NaN for what is not known. */
export interface PrivateCounts {
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** What tells whose process it is. */
export interface PrivateFacts {
  /** NAME=VALUE, each ended by a zero; only what names a service or its container */
  readonly environment: string;
  readonly program: string;
  readonly folder: string;
}

/** Looks at what of other users' processes needs CAP_SYS_PTRACE. Undefined, or absent, where it is refused. */
export interface ProcessPeek {
  facts(pid: number): Promise<PrivateFacts | undefined>;
  counts(pids: readonly number[]): Promise<ReadonlyMap<number, PrivateCounts>>;
  /** text of /proc/PID/maps, "" where it is refused */
  maps(pid: number): Promise<string>;
}

/** The variables that are looked at; nobody's secrets leave the process. */
const WANTED = /^(?:OTEL_SERVICE_NAME|OTEL_RESOURCE_ATTRIBUTES|JAVA_TOOL_OPTIONS|HOSTNAME|KUBERNETES_SERVICE_HOST)=/;

/** A file of a process that nobody asked for in so long is closed: it has ended, or sleeps. */
const KEPT_MS = 30_000;

/** By this process's own rights. */
export class DirectPeek implements ProcessPeek {
  /** those that may be read, and when they were */
  private readonly io = new Map<number, { readonly file: KeptFile; atMs: number }>();
  private sweptMs = 0;

  async facts(pid: number): Promise<PrivateFacts | undefined> {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
      return {
        environment: environment
          .split("\0")
          .filter((line) => WANTED.test(line))
          .join("\0"),
        program: readlinkSync(`/proc/${pid}/exe`),
        folder: readlinkSync(`/proc/${pid}/cwd`),
      };
    } catch {
      // EACCES of another user's, ENOENT and ESRCH of one that has ended.
      return undefined;
    }
  }

  async counts(pids: readonly number[]): Promise<ReadonlyMap<number, PrivateCounts>> {
    const found = new Map<number, PrivateCounts>();
    const nowMs = performance.now();
    for (const pid of pids) {
      const held = this.io.get(pid) ?? { file: new KeptFile(`/proc/${pid}/io`, true), atMs: nowMs };
      try {
        found.set(pid, parseIo(held.file.read()));
        held.atMs = nowMs;
        this.io.set(pid, held);
      } catch {
        // As above: who asks counts those that are missing. A number that is another process's now is opened anew next time.
        held.file.close();
        this.io.delete(pid);
      }
    }
    if (nowMs - this.sweptMs >= KEPT_MS) this.sweep(nowMs);
    return found;
  }

  async maps(pid: number): Promise<string> {
    try {
      return readFileSync(`/proc/${pid}/maps`, "utf8");
    } catch {
      return "";
    }
  }

  private sweep(nowMs: number): void {
    this.sweptMs = nowMs;
    for (const [pid, { file, atMs }] of this.io) {
      if (nowMs - atMs < KEPT_MS) continue;
      file.close();
      this.io.delete(pid);
    }
  }
}

/** Kernels since 6.2 tell everybody the number of open files, as the size of the folder; earlier ones let its owner count them. */
export function descriptorsOf(pid: number): number {
  try {
    const { size } = statSync(`/proc/${pid}/fd`);
    return size > 0 ? size : readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return Number.NaN;
  }
}

/** What reached the disk or came from it, by the text of /proc/PID/io. */
function parseIo(text: string): PrivateCounts {
  return { readBytes: numberAfter(text, "read_bytes:"), writtenBytes: numberAfter(text, "write_bytes:") };
}

/** First choice where it may, second choice where not. */
export class PeekInTurn implements ProcessPeek {
  private readonly first: ProcessPeek;
  private readonly second: ProcessPeek;

  constructor(first: ProcessPeek, second: ProcessPeek) {
    this.first = first;
    this.second = second;
  }

  async facts(pid: number): Promise<PrivateFacts | undefined> {
    return (await this.first.facts(pid)) ?? this.second.facts(pid);
  }

  async counts(pids: readonly number[]): Promise<ReadonlyMap<number, PrivateCounts>> {
    const found = await this.first.counts(pids);
    const missing = pids.filter((pid) => !found.has(pid));
    return missing.length === 0 ? found : new Map([...found, ...(await this.second.counts(missing))]);
  }

  async maps(pid: number): Promise<string> {
    return (await this.first.maps(pid)) || this.second.maps(pid);
  }
}
