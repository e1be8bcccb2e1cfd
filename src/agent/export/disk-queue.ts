import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** A request that waits, by its name in the folder. */
export interface Waiting {
  readonly name: string;
  readonly signal: string;
  readonly isCompressed: boolean;
  readonly bytes: number;
}

const NAME = /^(\d{15})-([a-z]+)\.otlp(\.gz)?$/;

/**
 * Requests that nobody took yet, a file each, oldest first, in at most `capBytes`: what is beyond goes, the oldest first,
 * and is counted. A file is there whole or not at all, whatever ends this process. One process at a time: whoever starts
 * goes on with what it finds.
 */
export class DiskQueue {
  /** requests that went since the start, for want of room */
  dropped = 0;
  private readonly folder: string;
  private readonly capBytes: number;
  private waiting: Waiting[] = [];
  private held = 0;
  private last = 0;

  /** Throws the system's error where the folder cannot be made or read. */
  constructor(folder: string, capBytes: number) {
    this.folder = folder;
    this.capBytes = capBytes;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(folder).toSorted()) {
      const [, number, signal, ending] = NAME.exec(name) ?? [];
      // Half of one that was being written.
      if (name.endsWith(".part")) rmSync(join(folder, name), { force: true });
      if (signal === undefined) continue;
      const bytes = statSync(join(folder, name), { throwIfNoEntry: false })?.size;
      // Somebody took it away since the folder was listed.
      if (bytes === undefined) continue;
      this.waiting.push({ name, signal, isCompressed: ending !== undefined, bytes });
      this.held += bytes;
      this.last = Math.max(this.last, Number(number));
    }
    this.makeRoom(0);
  }

  get bytes(): number {
    return this.held;
  }

  get size(): number {
    return this.waiting.length;
  }

  /** Puts one behind the others. Throws the system's error where the disk does not take it. */
  add(signal: string, body: Uint8Array, isCompressed: boolean): void {
    if (body.length > this.capBytes) {
      this.dropped++;
      return;
    }
    this.makeRoom(body.length);
    const name = `${String(++this.last).padStart(15, "0")}-${signal}.otlp${isCompressed ? ".gz" : ""}`;
    const part = join(this.folder, `${name}.part`);
    try {
      writeWhole(part, body);
      renameSync(part, join(this.folder, name));
    } catch (error) {
      // On a full disk its half would take the room that the next one needs.
      rmSync(part, { force: true });
      throw error;
    }
    this.waiting.push({ name, signal, isCompressed, bytes: body.length });
    this.held += body.length;
  }

  /** Undefined where none waits. */
  oldest(): Waiting | undefined {
    return this.waiting[0];
  }

  read({ name }: Waiting): Buffer {
    return readFileSync(join(this.folder, name));
  }

  /** Throws the system's error where the file stays; it does not wait any more all the same: nothing is sent twice. */
  remove(one: Waiting): void {
    if (!this.waiting.includes(one)) return;
    this.waiting = this.waiting.filter((other) => other !== one);
    this.held -= one.bytes;
    rmSync(join(this.folder, one.name), { force: true });
  }

  private makeRoom(bytes: number): void {
    while (this.held + bytes > this.capBytes && this.waiting.length > 0) {
      this.remove(this.waiting[0]!);
      this.dropped++;
    }
  }
}

/** A disk that is nearly full takes a part of what it is given, and says so by a number alone. */
function writeWhole(path: string, body: Uint8Array): void {
  const file = openSync(path, "w", 0o600);
  try {
    for (let at = 0; at < body.length;) at += writeSync(file, body, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
