import { readListeningSockets } from "../identity/listening-sockets.ts";
import { openSockets } from "../identity/open-sockets.ts";

/** TCP ports that a process listens on, by its descriptors and the sockets of its network; ascending, none where it has ended. */
export function listeningPorts(pid: number): number[] {
  const own = new Set(openSockets(pid, Number.POSITIVE_INFINITY));
  const listening = (readListeningSockets(pid) ?? []).filter(({ inode }) => own.has(inode));
  return [...new Set(listening.map(({ port }) => port))].sort((a, b) => a - b);
}
