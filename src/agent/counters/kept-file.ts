import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/** What was read last, by whichever file: it is overwritten by the next one. */
export const lastRead: Buffer = Buffer.allocUnsafe(1 << 20);

/** Descriptors that are kept open for files at most, all of them together. */
const MOST_KEPT = 12_000;
/** What this process may have open besides: sockets, the queue, what it reads once. */
const LEFT_OPEN = 64;
let most = Number.NaN;
let kept = 0;

/** Where few may be open (a hard limit of 1024 is common), files are opened each time instead of not being read at all. */
function mostKept(): number {
  if (Number.isNaN(most)) {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
    most = Math.max(0, Math.min(MOST_KEPT, Number(limit ?? MOST_KEPT) - LEFT_OPEN));
  }
  return most;
}

/**
 * A file of the kernel that is read again and again: opening it costs ten times as much as reading it. One of a process
 * stays that process's: once it has ended there is nothing to read any more, whoever has its number then.
 */
export class KeptFile {
  private readonly path: string;
  private readonly isShort: boolean;
  private descriptor = -1;

  /** isShort: of less than a page, which one read gives whole */
  constructor(path: string, isShort = false) {
    this.path = path;
    this.isShort = isShort;
  }

  /** Its text, at most a megabyte; throws the system's error where it cannot be read. */
  read(): string {
    return lastRead.toString("latin1", 0, this.load());
  }

  /** Reads it into `lastRead`, and returns how many bytes of that it is. Throws as `read` does. */
  load(): number {
    if (this.descriptor < 0) {
      this.descriptor = openSync(this.path, "r");
      kept++;
    }
    // Files of the kernel come in pieces of a page or so, and a short one is not the last.
    let size = 0;
    while (size < lastRead.length) {
      const got = readSync(this.descriptor, lastRead, size, lastRead.length - size, size);
      if (got === 0) break;
      size += got;
      if (this.isShort) break;
    }
    if (kept > mostKept()) this.close();
    return size;
  }

  close(): void {
    if (this.descriptor < 0) return;
    closeSync(this.descriptor);
    this.descriptor = -1;
    kept--;
  }
}
