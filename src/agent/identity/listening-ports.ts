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
  /** whether it may still open what it listens on */
  readonly isYoung: boolean;
}

/** Ports are opened at the beginning, or seldom. */
const EVERY_MS = 30_000;
/** Sockets that listen are opened early, and descriptors are listed in their order. */
const MOST_DESCRIPTORS = 1024;
/** Told of one process, the lowest: what listens on more is no service that calls go to by a port of its own. */
export const MOST_PORTS = 16;

/** What a process listens on, and how many ports are not told of it. */
interface KnownPorts {
  readonly startTicks: number;
  readonly ports: readonly number[];
  /** of a range that the system gives */
  readonly ephemeral: number;
  /** beyond MOST_PORTS */
  readonly cut: number;
  /** for the life of the process */
  readonly isKept: boolean;
}

/**
 * Which process listens on which TCP ports, as far as this process may know. What is told of ports makes series of what is told
 * of the process: it stays what was found first, unless that was nothing or the process had just begun.
 */
export class ListeningPorts {
  private readonly known = new Map<number, KnownPorts>();
  private readonly isEphemeral: (port: number) => boolean;
  private lookedMs = Number.NaN;
  private readonly users = new Map<number, { readonly startTicks: number; readonly uid: number }>();
  /** what processes had open when the sockets that listen were the same */
  private readonly opened = new Map<number, OpenSockets>();

  constructor(isEphemeral: (port: number) => boolean) {
    this.isEphemeral = isEphemeral;
  }

  /** Ascending; none where it listens on none, or nobody may know. */
  of(pid: number): readonly number[] {
    return this.known.get(pid)?.ports ?? [];
  }

  /** How many ports are not told of the processes that live, and why. */
  leftOut(): { readonly ephemeral: number; readonly cut: number } {
    const sum = { ephemeral: 0, cut: 0 };
    for (const { ephemeral, cut } of this.known.values()) {
      sum.ephemeral += ephemeral;
      sum.cut += cut;
    }
    return sum;
  }

  isDue(nowMs: number): boolean {
    return !(Math.abs(nowMs - this.lookedMs) < EVERY_MS);
  }

  /** Looks at all processes that live; returns those of whom something else is known now. */
  look(users: readonly PortUser[], nowMs: number): number[] {
    this.lookedMs = nowMs;
    return this.learn(users, new Set(users));
  }

  /** Looks at those of `wanted` that nobody looked at yet, among all that live; returns those of whom something is known now. */
  lookAtNew(users: readonly PortUser[], wanted: (user: PortUser) => boolean): number[] {
    const unseen = users.filter((user) => this.knownOf(user) === undefined && wanted(user));
    return unseen.length === 0 ? [] : this.learn(users, new Set(unseen));
  }

  /** One that has ended. */
  forget(pid: number): void {
    for (const map of [this.known, this.opened, this.users]) map.delete(pid);
  }

  /** The number may have been another process's before. */
  private knownOf({ process: { pid, stat } }: PortUser): KnownPorts | undefined {
    const held = this.known.get(pid);
    return held?.startTicks === stat.startTicks ? held : undefined;
  }

  private learn(users: readonly PortUser[], due: ReadonlySet<PortUser>): number[] {
    const found = new Map<number, readonly number[]>();
    for (const { sockets, members } of networksOf(users)) {
      const inodesHere = new Set(sockets.map(({ inode }) => inode));
      const listening = [...inodesHere].join(" ");
      const holders = members.map((user) => this.holderOf(user, inodesHere, listening, due.has(user)));
      for (const [pid, ports] of assignedPorts(sockets, holders)) found.set(pid, ports);
    }
    const changed: number[] = [];
    for (const user of due) {
      const before = this.knownOf(user);
      if (before?.isKept === true) continue;
      const { pid, stat } = user.process;
      const all = found.get(pid) ?? [];
      const own = all.filter((port) => !this.isEphemeral(port));
      const ports = own.slice(0, MOST_PORTS);
      this.known.set(pid, {
        startTicks: stat.startTicks,
        ports,
        ephemeral: all.length - own.length,
        cut: own.length - ports.length,
        isKept: ports.length > 0 && !user.isYoung,
      });
      if ((before?.ports ?? []).join() !== ports.join()) changed.push(pid);
    }
    return changed;
  }

  private holderOf(user: PortUser, inodesHere: ReadonlySet<string>, listening: string, isDue: boolean): SocketHolder {
    const { pid, stat } = user.process;
    const held = this.opened.get(pid);
    // While the sockets that listen are those of the look before, each is whose it was: descriptors are many.
    const isSame =
      held?.startTicks === stat.startTicks &&
      (held.listening === listening || !isDue || this.knownOf(user)?.isKept === true);
    const inodes = isSame ? held.inodes : openSockets(pid, MOST_DESCRIPTORS)?.filter((inode) => inodesHere.has(inode));
    if (!isSame) this.opened.set(pid, { startTicks: stat.startTicks, listening, inodes });
    const uid = inodes === undefined ? this.uidOf(pid, stat.startTicks) : -1;
    return { pid, parent: stat.parent, service: user.service, uid, inodes };
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
  [...new Set(sockets.map(({ port }) => port))].sort((a, b) => a - b);

/** Containers may share the machine's network: those with the same sockets are in one. */
function networksOf(users: readonly PortUser[]): { sockets: ListeningSocket[]; members: PortUser[] }[] {
  const networks = new Map<string, { sockets: ListeningSocket[]; members: PortUser[] }>();
  for (const members of groupedBy(users, ({ container }) => container).values()) {
    const sockets = firstRead(members);
    const first = sockets?.[0]?.inode;
    if (sockets === undefined || first === undefined) continue;
    const held = networks.get(first);
    if (held === undefined) networks.set(first, { sockets, members: [...members] });
    else held.members.push(...members);
  }
  return [...networks.values()];
}

/** By the first of them that has not ended meanwhile. */
function firstRead(members: readonly PortUser[]): ListeningSocket[] | undefined {
  for (const { process } of members) {
    const sockets = readListeningSockets(process.pid);
    if (sockets !== undefined) return sockets;
  }
  return undefined;
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
