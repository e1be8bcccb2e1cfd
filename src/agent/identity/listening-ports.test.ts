import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { parseStat, type ProcessStat } from "../counters/process-table.ts";
import { readFileSync } from "node:fs";
import { assignedPorts, ListeningPorts, type PortUser, type SocketHolder } from "./listening-ports.ts";
import { ListeningTable } from "./listening-sockets.ts";

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const line = (address: string, state: string, uid: number, inode: number): string =>
  `   0: ${address} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0000000000000000 100 0 0 10 0\n`;

describe("a table of sockets", () => {
  test("port, user and inode of those that listen, also of version 6", () => {
    const table = new ListeningTable();
    // 0x1538 is 5432.
    const six = line("00000000000000000000000001000000:0050", "0A", 0, 8);
    expect(table.add(HEAD + line("0100007F:1538", "0A", 105, 777) + six)).toBe(true);
    expect(table.sockets).toEqual([
      { inode: "777", port: 5432, uid: 105 },
      { inode: "8", port: 80, uid: 0 },
    ]);
  });

  test("behind the first that does not listen nothing is read; a half line is none until it is whole", () => {
    const open = line("0100007F:1538", "0A", 1, 2);
    const table = new ListeningTable();
    expect(table.add(HEAD + open + line("0100007F:1538", "01", 1, 3) + open)).toBe(false);
    expect(table.sockets).toHaveLength(1);
    const halved = new ListeningTable();
    expect(halved.add(HEAD + open + open.slice(0, 60))).toBe(true);
    expect(halved.sockets).toHaveLength(1);
    expect(halved.add(open.slice(60))).toBe(true);
    expect(halved.sockets).toHaveLength(2);
    expect([new ListeningTable().add(""), new ListeningTable().add(HEAD)]).toEqual([true, true]);
  });

  test("the same in pieces of any size, each line once", () => {
    const text = HEAD + [1, 2, 3, 4, 5].map((inode) => line("0100007F:1538", "0A", inode, inode)).join("");
    for (const size of [1, 7, 149, 150, 151, 1024]) {
      const table = new ListeningTable();
      for (let at = 0; at < text.length; at += size) table.add(text.slice(at, at + size));
      expect(table.sockets.map(({ inode }) => inode)).toEqual(["1", "2", "3", "4", "5"]);
    }
  });
});

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

const userOf = (pid: number, service: string): PortUser => ({
  process: { pid, stat: parseStat(readFileSync(`/proc/${pid}/stat`))! as ProcessStat },
  container: "",
  service,
  isYoung: false,
});

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

test("a server is found by its port, and whoever else has it closed is not; each look says what is new", async () => {
  const port = await listen();
  const sleeper = spawn("sleep", ["60"], { stdio: "ignore" });
  children.push(sleeper);
  const users = [userOf(process.pid, "a"), userOf(sleeper.pid!, "b")];
  const ports = new ListeningPorts(() => false);
  expect(ports.isDue(0)).toBe(true);
  expect(ports.look(users, 0)).toEqual([process.pid]);
  expect(ports.of(process.pid)).toContain(port);
  expect(ports.of(sleeper.pid!)).toEqual([]);
  expect([ports.isDue(29_999), ports.isDue(30_000), ports.isDue(-40_000)]).toEqual([false, true, true]);
  expect(ports.look(users, 30_000)).toEqual([]);
});

test("a socket that several processes have open is told of each of them, in whatever order they are looked at", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  // As a server that begins its workers after it has opened its port.
  const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
  for (let i = 0; i < 2; i++) children.push(spawn("sleep", ["60"], { stdio: ["ignore", "ignore", "ignore", fd] }));
  const pids = [process.pid, ...children.map(({ pid }) => pid!)];
  const users = pids.map((pid) => userOf(pid, "a"));
  for (const order of [users, users.toReversed()]) {
    const ports = new ListeningPorts(() => false);
    ports.look(order, 0);
    expect(pids.map((pid) => ports.of(pid))).toEqual([[port], [port], [port]]);
  }
});

test("what was found first stays; one that has just begun, or had none, is looked at again", async () => {
  const [own] = [userOf(process.pid, "a")];
  const ports = new ListeningPorts(() => false);
  expect(ports.look([own], 0)).toEqual([]);
  const first = await listen();
  expect(ports.look([{ ...own, isYoung: true }], 30_000)).toEqual([process.pid]);
  expect(ports.of(process.pid)).toEqual([first]);
  const two = [first, await listen()].sort((a, b) => a - b);
  expect(ports.look([own], 60_000)).toEqual([process.pid]);
  expect(ports.of(process.pid)).toEqual(two);
  await listen();
  expect(ports.look([own], 90_000)).toEqual([]);
  expect(ports.of(process.pid)).toEqual(two);
  // Whoever has its number after it has ended is another one.
  ports.forget(process.pid);
  expect(ports.of(process.pid)).toEqual([]);
});

test("between looks at all, only those are looked at that nobody looked at before", async () => {
  const [first, own] = [await listen(), userOf(process.pid, "a")];
  const ports = new ListeningPorts(() => false);
  expect(ports.lookAtNew([own], () => false)).toEqual([]);
  expect(ports.lookAtNew([{ ...own, isYoung: true }], () => true)).toEqual([process.pid]);
  await listen();
  expect(ports.lookAtNew([own], () => true)).toEqual([]);
  expect(ports.of(process.pid)).toEqual([first]);
});

test("ports that the system gives are left out, and those beyond the lowest 16: both are counted", async () => {
  const all: number[] = [];
  for (let i = 0; i < 21; i++) all.push(await listen());
  const [given, ...own] = all;
  const ports = new ListeningPorts((port) => port === given);
  ports.look([userOf(process.pid, "a")], 0);
  expect(ports.of(process.pid)).toEqual(own.sort((a, b) => a - b).slice(0, 16));
  expect(ports.leftOut()).toEqual({ ephemeral: 1, cut: 4 });
});

test("where the first process of a container has ended meanwhile, the next one tells of its network", async () => {
  const port = await listen();
  const sleeper = spawn("sleep", ["60"], { stdio: "ignore" });
  const ended = userOf(sleeper.pid!, "b");
  sleeper.kill("SIGKILL");
  await once(sleeper, "exit");
  const ports = new ListeningPorts(() => false);
  ports.look(
    [ended, userOf(process.pid, "a")].map((user) => ({ ...user, container: "c" })),
    0,
  );
  expect(ports.of(process.pid)).toEqual([port]);
});

describe("whose a port is", () => {
  const sockets = [
    { inode: "1", port: 5432, uid: 105 },
    { inode: "2", port: 80, uid: 0 },
    { inode: "3", port: 6379, uid: 106 },
    { inode: "4", port: 8080, uid: 1000 },
  ];
  const holder = (
    pid: number,
    service: string,
    uid: number,
    more: { parent?: number; inodes?: string[] } = {},
  ): SocketHolder => ({ pid, parent: more.parent ?? 1, service, uid, inodes: more.inodes });
  /** In whatever order they are listed. */
  const told = (...holders: SocketHolder[]): unknown => {
    const found = Object.fromEntries(assignedPorts(sockets, holders));
    expect(Object.fromEntries(assignedPorts(sockets, holders.toReversed()))).toEqual(found);
    return found;
  };

  test("of processes that hide their sockets: the one whose children its user's others are", () => {
    const backends = [20, 21].map((pid) => holder(pid, "postgres", 105, { parent: 30 }));
    expect(told(...backends, holder(30, "postgres", 105), holder(40, "redis-server", 106))).toEqual({
      30: [5432],
      40: [6379],
    });
  });

  test("of two clusters of one user nobody knows whose it is", () => {
    expect(told(holder(30, "postgres", 105), holder(31, "postgres", 105))).toEqual({});
  });

  test("of a user who runs several services nobody knows, nor of root", () => {
    expect(told(holder(10, "shop", 1000), holder(11, "cart", 1000), holder(12, "nginx", 0))).toEqual({});
  });

  test("what is seen to be somebody's is nobody else's", () => {
    expect(told(holder(10, "shop", -1, { inodes: ["4", "99"] }), holder(11, "cart", 1000))).toEqual({ 10: [8080] });
  });
});
