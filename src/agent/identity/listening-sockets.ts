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
 * Those of one network, by the text of /proc/PID/net/tcp or tcp6, see proc_net_tcp(5). The kernel lists those that listen
 * before all connections, of which there may be a hundred thousand: what stands behind the first that does not is not read.
 */
export function listeningSockets(text: string): { readonly sockets: ListeningSocket[]; readonly isWhole: boolean } {
  const sockets: ListeningSocket[] = [];
  const lines = text.split("\n");
  // The last one may be half; of a whole file it is empty.
  for (const line of lines.slice(1, -1)) {
    const [, local = "", , state, , , , uid, , inode] = line.trim().split(/\s+/);
    if (inode === undefined) continue;
    if (state !== LISTEN) return { sockets, isWhole: true };
    sockets.push({ inode, port: Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16), uid: Number(uid) });
  }
  return { sockets, isWhole: false };
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
    for (let text = ""; ;) {
      const got = readSync(file, room, 0, PIECE_BYTES, null);
      text += room.toString("latin1", 0, got);
      const { sockets, isWhole } = listeningSockets(text);
      if (isWhole || got === 0 || text.length >= MOST_BYTES) return sockets;
    }
  } finally {
    closeSync(file);
  }
}
