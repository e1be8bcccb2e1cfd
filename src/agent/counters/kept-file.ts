import { closeSync, openSync, readSync } from "node:fs";

const room = Buffer.allocUnsafe(1 << 20);

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
    if (this.descriptor < 0) this.descriptor = openSync(this.path, "r");
    // Files of the kernel come in pieces of a page or so, and a short one is not the last.
    let size = 0;
    while (size < room.length) {
      const got = readSync(this.descriptor, room, size, room.length - size, size);
      if (got === 0) break;
      size += got;
      if (this.isShort) break;
    }
    return room.toString("latin1", 0, size);
  }

  close(): void {
    if (this.descriptor >= 0) closeSync(this.descriptor);
    this.descriptor = -1;
  }
}
