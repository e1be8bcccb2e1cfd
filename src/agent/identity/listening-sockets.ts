import { closeSync, existsSync, openSync, readSync } from "node:fs";

/** A TCP socket that listens. */
export interface ListeningSocket {
  readonly inode: string;
  readonly port: number;
  /** user who opened it */
  readonly uid: number;
}

const LISTEN = "0A";
/**
 * Six sockets. The kernel looks for as many as are asked for: behind those that listen it would go through its whole table of
 * connections for the rest of a page, a million places on a large machine, and find few.
 */
const PIECE_BYTES = 1 << 10;
/** Beyond that a machine has thousands that listen, and no default port tells anything. */
const MOST_BYTES = 1 << 19;

/**
 * Those of one network, by the text of /proc/PID/net/tcp or tcp6 in whatever pieces it comes, each read once: see
 * proc_net_tcp(5). The kernel lists those that listen before all connections, of which there may be a hundred thousand: what
 * stands behind the first that does not is not read.
 */
export class ListeningTable {
  readonly sockets: ListeningSocket[] = [];
  private half = "";
  private isBehindHead = false;

  /** False where nothing that follows listens. */
  add(piece: string): boolean {
    const lines = (this.half + piece).split("\n");
    // The last one may be half; of a whole file it is empty.
    this.half = lines.pop()!;
    for (const line of lines) {
      const isHead = !this.isBehindHead;
      this.isBehindHead = true;
      const [, local = "", , state, , , , uid, , inode] = line.trim().split(/\s+/);
      if (isHead || inode === undefined) continue;
      if (state !== LISTEN) return false;
      const port = Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16);
      this.sockets.push({ inode, port, uid: Number(uid) });
    }
    return true;
  }
}

/** Of the network that a process is in; undefined where it has ended. */
export function readListeningSockets(pid: number): ListeningSocket[] | undefined {
  const path = `/proc/${pid}/net/tcp`;
  try {
    const sockets = readTable(path);
    return existsSync(`${path}6`) ? [...sockets, ...readTable(`${path}6`)] : existsSync(path) ? sockets : undefined;
  } catch {
    // It has ended, or is about to: what waits for its parent has no network any more.
    return undefined;
  }
}

function readTable(path: string): ListeningSocket[] {
  const file = openSync(path, "r");
  try {
    const room = Buffer.allocUnsafe(PIECE_BYTES);
    const table = new ListeningTable();
    for (let bytes = 0; ;) {
      const got = readSync(file, room, 0, PIECE_BYTES, null);
      bytes += got;
      if (!table.add(room.toString("latin1", 0, got)) || got === 0 || bytes >= MOST_BYTES) return table.sockets;
    }
  } finally {
    closeSync(file);
  }
}
