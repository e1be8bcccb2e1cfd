/** The calls by which a log writes, as `ingest/wal/wal-files.ts` has them. */
export interface FileCalls {
  create(path: string): Promise<number>;
  write(fd: number, buffers: readonly Uint8Array[], position: number): Promise<void>;
  sync(fd: number): Promise<void>;
  truncate(fd: number, size: number): Promise<void>;
  close(fd: number): Promise<void>;
  remove(path: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
  freeBytes(path: string): Promise<number>;
}

/** A file system under which calls can be made to fail or to wait; what is not told goes to the one below. */
export class FaultyFiles implements FileCalls {
  /** Called before each call; what it throws is what the call fails with. */
  before: (call: keyof FileCalls) => void | Promise<void> = () => {};
  /** room that is told, where it is not what the disk has */
  free: number | undefined;
  readonly calls: (keyof FileCalls)[] = [];
  private readonly below: FileCalls;

  constructor(below: FileCalls) {
    this.below = below;
  }

  async create(path: string): Promise<number> {
    await this.note("create");
    return this.below.create(path);
  }

  async write(fd: number, buffers: readonly Uint8Array[], position: number): Promise<void> {
    await this.note("write");
    return this.below.write(fd, buffers, position);
  }

  async sync(fd: number): Promise<void> {
    await this.note("sync");
    return this.below.sync(fd);
  }

  async truncate(fd: number, size: number): Promise<void> {
    await this.note("truncate");
    return this.below.truncate(fd, size);
  }

  async close(fd: number): Promise<void> {
    await this.note("close");
    return this.below.close(fd);
  }

  async remove(path: string): Promise<void> {
    await this.note("remove");
    return this.below.remove(path);
  }

  async syncFolder(path: string): Promise<void> {
    await this.note("syncFolder");
    return this.below.syncFolder(path);
  }

  async freeBytes(path: string): Promise<number> {
    await this.note("freeBytes");
    return this.free ?? this.below.freeBytes(path);
  }

  private async note(call: keyof FileCalls): Promise<void> {
    this.calls.push(call);
    await this.before(call);
  }
}

/** What Node fails with when a disk is full, or breaks. */
export function fileError(code: "ENOSPC" | "EIO"): Error {
  return Object.assign(new Error(`${code}: ${code === "EIO" ? "i/o error" : "no space left on device"}`), { code });
}
