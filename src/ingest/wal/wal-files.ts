import { close, fdatasync, fsync, ftruncate, open, statfs, unlink, writev } from "node:fs";
import { promisify } from "node:util";

/** What the log asks of a file system; tests put failures in between. */
export interface WalFiles {
  /** Opens a new file for writing; fails when it exists. */
  create(path: string): Promise<number>;
  /** Appends all buffers at `position`. */
  write(fd: number, buffers: readonly Uint8Array[], position: number): Promise<void>;
  sync(fd: number): Promise<void>;
  truncate(fd: number, size: number): Promise<void>;
  close(fd: number): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes created and removed names of a folder durable. */
  syncFolder(path: string): Promise<void>;
  freeBytes(path: string): Promise<number>;
}

/** Buffers that one writev takes: IOV_MAX of Linux. */
const MAX_BUFFERS = 1024;

const openFile = promisify(open);
const syncAll = promisify(fsync);
const syncData = promisify(fdatasync);
const shorten = promisify(ftruncate);
const closeFile = promisify(close);
const removeFile = promisify(unlink);
const statFileSystem = promisify(statfs);

/** Node's. */
export const DISK: WalFiles = {
  create: (path) => openFile(path, "wx", 0o600),
  write: writeAll,
  sync: syncData,
  truncate: shorten,
  close: closeFile,
  remove: removeFile,
  syncFolder: async (path) => {
    const fd = await openFile(path, "r");
    try {
      await syncAll(fd);
    } finally {
      await closeFile(fd);
    }
  },
  freeBytes: async (path) => {
    const { bavail, bsize } = await statFileSystem(path);
    return bavail * bsize;
  },
};

async function writeAll(fd: number, buffers: readonly Uint8Array[], position: number): Promise<void> {
  for (let first = 0; first < buffers.length; first += MAX_BUFFERS) {
    let rest = buffers.slice(first, first + MAX_BUFFERS);
    while (rest.length > 0) {
      const written = await writeSome(fd, rest, position);
      position += written;
      rest = behind(rest, written);
    }
  }
}

function writeSome(fd: number, buffers: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(fd, buffers, position, (error, written) => (error === null ? resolve(written) : reject(error)));
  });
}

/** What of `buffers` stands behind their first `bytes` bytes. */
function behind(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let i = 0;
  while (i < buffers.length && bytes >= buffers[i]!.length) bytes -= buffers[i++]!.length;
  const rest = buffers.slice(i);
  if (bytes > 0) rest[0] = rest[0]!.subarray(bytes);
  return rest;
}
