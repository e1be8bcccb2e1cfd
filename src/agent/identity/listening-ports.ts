import { readFileSync } from "node:fs";
import type { SeenProcess } from "../counters/process-table.ts";
import { readListeningSockets, type ListeningSocket } from "./listening-sockets.ts";
import { openSockets } from "./open-sockets.ts";

/** A process, as far as it matters here. */
export interface PortUser {
  readonly process: Pick<SeenProcess, "pid" | "stat">;
  /** of the container or pod, "" outside: processes of one are in one network */
  readonly container: string;
  readonly service: string;
}

/** Ports are opened at the beginning, or seldom. */
const EVERY_MS = 30_000;
/** Sockets that listen are opened early, and descriptors are listed in their order. */
const MOST_DESCRIPTORS = 1024;
const MOST_PORTS = 16;

/** Which process listens on which TCP ports, as far as this process may know. */
export class ListeningPorts {
  private ports: ReadonlyMap<number, readonly number[]> = new Map();
  private lookedMs = Number.NaN;
  private readonly users = new Map<number, { readonly startTicks: number; readonly uid: number }>();
  /** what processes had open when the sockets that listen were the same */
  private opened = new Map<number, OpenSockets>();

  /** Ascending; none where it listens on none, or nobody may know. */
  of(pid: number): readonly number[] {
    return this.ports.get(pid) ?? [];
  }

  isDue(nowMs: number): boolean {
    return !(Math.abs(nowMs - this.lookedMs) < EVERY_MS);
  }

  /** Looks at all processes that live; returns those of whom something else is known now. */
  look(users: readonly PortUser[], nowMs: number): number[] {
    this.lookedMs = nowMs;
    const before = this.ports;
    const found = new Map<number, readonly number[]>();
    const opened = new Map<number, OpenSockets>();
    for (const { sockets, members } of networksOf(users)) {
      const inodesHere = new Set(sockets.map(({ inode }) => inode));
      const listening = [...inodesHere].join(" ");
      const holders = members.map(({ process, service }): SocketHolder => {
        const { pid, stat } = process;
        const held = this.opened.get(pid);
        // While the sockets that listen are those of the look before, each is whose it was: descriptors are many.
        const isSame = held?.startTicks === stat.startTicks && held.listening === listening;
        const inodes = isSame
          ? held.inodes
          : openSockets(pid, MOST_DESCRIPTORS)?.filter((inode) => inodesHere.has(inode));
        opened.set(pid, { startTicks: stat.startTicks, listening, inodes });
        const uid = inodes === undefined ? this.uidOf(pid, stat.startTicks) : -1;
        return { pid, parent: stat.parent, service, uid, inodes };
      });
      for (const [pid, ports] of assignedPorts(sockets, holders)) found.set(pid, ports);
    }
    this.ports = found;
    this.opened = opened;
    const living = new Set(users.map(({ process }) => process.pid));
    for (const pid of this.users.keys()) if (!living.has(pid)) this.users.delete(pid);
    return [...living].filter((pid) => before.get(pid)?.join() !== found.get(pid)?.join());
  }

  /** The effective user; -1 where the process has ended. */
  private uidOf(pid: number, startTicks: number): number {
    const held = this.users.get(pid);
    if (held?.startTicks === startTicks) return held.uid;
    let uid = -1;
    try {
      uid = Number(/^Uid:\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? -1);
    } catch {
      // It has ended.
    }
    this.users.set(pid, { startTicks, uid });
    return uid;
  }
}

interface OpenSockets {
  readonly startTicks: number;
  readonly listening: string;
  /** of sockets that listen; undefined where its descriptors are hidden */
  readonly inodes: readonly string[] | undefined;
}

/** A process of a network. */
export interface SocketHolder {
  readonly pid: number;
  readonly parent: number;
  readonly service: string;
  /** the effective user; below 0 where nobody knows */
  readonly uid: number;
  /** of its sockets; undefined where they are hidden */
  readonly inodes: readonly string[] | undefined;
}

/**
 * Ports by process: by its sockets where those may be seen; else by the user who opened a socket, where all processes of that
 * user in that network are one and its children, of one service: a database has a user of its own, and two clusters of it are
 * two that nobody can tell apart by that. Of root's sockets anybody may be the owner.
 */
export function assignedPorts(
  sockets: readonly ListeningSocket[],
  holders: readonly SocketHolder[],
): Map<number, readonly number[]> {
  const ports = new Map<number, readonly number[]>();
  const byInode = new Map(sockets.map((socket) => [socket.inode, socket]));
  const owned = new Set<string>();
  for (const { pid, inodes = [] } of holders) {
    const own = inodes.filter((inode) => byInode.has(inode));
    for (const inode of own) owned.add(inode);
    if (own.length > 0) ports.set(pid, portsOf(own.map((inode) => byInode.get(inode)!)));
  }
  const hidden = holders.filter(({ inodes, uid }) => inodes === undefined && uid > 0);
  for (const [uid, theirs] of groupedBy(hidden, (holder) => holder.uid)) {
    const open = sockets.filter((socket) => socket.uid === uid && !owned.has(socket.inode));
    const pids = new Set(theirs.map(({ pid }) => pid));
    const [first, ...others] = theirs.filter(({ parent }) => !pids.has(parent));
    const isOne = first !== undefined && theirs.every(({ service }) => service === first.service);
    if (isOne && others.length === 0 && open.length > 0) ports.set(first.pid, portsOf(open));
  }
  return ports;
}

const portsOf = (sockets: readonly ListeningSocket[]): number[] =>
  [...new Set(sockets.map(({ port }) => port))].sort((a, b) => a - b).slice(0, MOST_PORTS);

/** Containers may share the machine's network: those with the same sockets are in one. */
function networksOf(users: readonly PortUser[]): { sockets: ListeningSocket[]; members: PortUser[] }[] {
  const networks = new Map<string, { sockets: ListeningSocket[]; members: PortUser[] }>();
  for (const members of groupedBy(users, ({ container }) => container).values()) {
    const sockets = readListeningSockets(members[0]!.process.pid);
    const first = sockets[0]?.inode;
    if (first === undefined) continue;
    const held = networks.get(first);
    if (held === undefined) networks.set(first, { sockets, members: [...members] });
    else held.members.push(...members);
  }
  return [...networks.values()];
}

function groupedBy<T, K>(all: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const held = groups.get(key);
    if (held === undefined) groups.set(key, [one]);
    else held.push(one);
  }
  return groups;
}
