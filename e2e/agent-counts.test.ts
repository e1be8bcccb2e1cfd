import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from "vitest";
import { ServingHelper } from "../src/agent/continuous/serving-helper.ts";
import { helperPath } from "../src/agent/probe-helper.ts";
import { CountKind, type CountRecord, type ProbeRecord } from "../src/agent/probe-stream.ts";
import { longpole } from "./longpole.ts";

/*
 * What the helper counts of processes, against what the processes themselves, /proc or the other end of the connection say.
 */

const { capabilities } = JSON.parse(longpole(["doctor", "--json"]).stdout) as {
  capabilities: { name: string; rung: string }[];
};
const stands = (name: string): boolean => capabilities.some((one) => one.name === name && one.rung === "helper");
const isRoot = process.getuid?.() === 0;
/** ext4 and xfs write what is synced in the name of who syncs; in memory nothing is written at all. */
const isOnDisk = [0xef53, 0x58465342].includes(statfsSync(tmpdir()).type);
const PATIENCE_MS = 60_000;

const bpftool = ["bpftool", "/usr/sbin/bpftool"].find((command) => spawnSync(command, ["version"]).status === 0);

/** How many entries a table of the kernel has that a process holds open. */
function placesOf(pid: number, name: string): () => number {
  const asked = (...words: readonly string[]): unknown =>
    JSON.parse(spawnSync(bpftool!, ["-j", "map", ...words], { encoding: "utf8", maxBuffer: 1 << 26 }).stdout);
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    const [, id] = /^map_id:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8")) ?? [];
    if (id === undefined || (asked("show", "id", id) as { name?: string }).name !== name) continue;
    return () => (asked("dump", "id", id) as unknown[]).length;
  }
  throw new Error(`${pid} has no table ${name}`);
}

let folder = "";
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "longpole-counts-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let helper: ServingHelper;
let probes: Extract<ProbeRecord, { readonly type: "probe" }>[] = [];
let counts = new Map<string, CountRecord>();
let ticks = 0;
/** how often something found no place in a table of the kernel, as the last tick has it */
let lost = 0;
const children: ChildProcess[] = [];

beforeEach(async () => {
  [probes, counts, ticks, lost] = [[], new Map(), 0, 0];
  helper = new ServingHelper(helperPath(process.env), { hz: 19, tickSeconds: 0.5, user: undefined }, (record) => {
    if (record.type === "probe") probes.push(record);
    if (record.type === "tick") {
      ticks++;
      lost = record.lostCounts;
    }
    if (record.type === "count") counts.set(`${record.tgid} ${record.kind} ${record.which}`, record);
  });
  await helper.ready;
});
afterEach(async () => {
  helper.stop();
  await helper.ended.catch(() => {});
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** All that was counted of a process and kind, whatever the disk. */
function counted(pid: number, kind: number): { count: number; ns: number; bytes: number } {
  const sum = { count: 0, ns: 0, bytes: 0 };
  for (const one of counts.values()) {
    if (one.tgid !== pid || one.kind !== kind) continue;
    sum.count += one.count;
    sum.ns += one.ns;
    sum.bytes += one.bytes;
  }
  return sum;
}

async function eventually(isThere: () => boolean, what: () => string): Promise<void> {
  const until = Date.now() + PATIENCE_MS - 10_000;
  while (!isThere()) {
    if (Date.now() > until) throw new Error(`never came: ${what()}`);
    await sleep(100);
  }
}

/** After the totals of now were told. */
const nextTick = async (): Promise<void> => {
  const before = ticks;
  await eventually(
    () => ticks >= before + 2,
    () => "a tick",
  );
};

type Worker = ChildProcess & { readonly pid: number };

/** A program that begins when it is told to, and goes on to live unless it ends itself. */
async function unwatched(program: string, ...words: readonly string[]): Promise<Worker> {
  const script = `process.once("message", async () => { ${program} }); setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, ...words], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    cwd: folder,
  });
  children.push(child);
  await once(child, "spawn");
  return child as Worker;
}

async function watch({ pid }: Worker): Promise<void> {
  helper.target(pid);
  // Lines are taken in order: the answer says that the one before it was.
  await helper.counts([pid]);
}

/** One that is watched before it begins. */
async function worker(program: string, ...words: readonly string[]): Promise<Worker> {
  const child = await unwatched(program, ...words);
  await watch(child);
  child.send("go");
  return child;
}

const said = async <T>(child: ChildProcess): Promise<T> => (await once(child, "message"))[0] as T;

const CONNECT = `
  const { connect } = await import("node:net");
  const one = (port) => new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.end()).on("error", () => {}).on("close", resolve).resume();
  });
  const [port, times] = process.argv.slice(1).map(Number);
  for (let i = 0; i < times; i++) await one(port);`;

describe.runIf(stands("block I/O by process") && isOnDisk)("block I/O", () => {
  test(
    "a process that writes and syncs blocks has written as many bytes as /proc/PID/io says",
    { timeout: PATIENCE_MS },
    async () => {
      const [blocks, size] = [40, 256 << 10];
      const child = await worker(`
        const { openSync, writeSync, fsyncSync, readFileSync } = await import("node:fs");
        const written = () => Number(/^write_bytes: (\\d+)/m.exec(readFileSync("/proc/self/io", "utf8"))[1]);
        const before = written();
        const file = openSync("blocks", "w");
        for (let i = 0; i < ${blocks}; i++) { writeSync(file, Buffer.alloc(${size}, i)); fsyncSync(file); }
        process.send(written() - before);`);
      const told = await said<number>(child);
      expect(told).toBeGreaterThanOrEqual(blocks * size);
      await nextTick();
      const { count, ns, bytes } = counted(child.pid, CountKind.blockWrite);
      // All of it and no more than a tenth beyond: what the journal writes is the kernel's.
      expect(bytes).toBeGreaterThanOrEqual(blocks * size);
      expect(bytes).toBeLessThanOrEqual(told * 1.1);
      // A sync waits for its own blocks: each is at least one request, and each took some time.
      expect(count).toBeGreaterThanOrEqual(blocks);
      expect(ns / count).toBeGreaterThan(1000);
      const slots = [...counts.values()].filter(
        ({ tgid, kind }) => tgid === child.pid && kind === CountKind.blockWrite,
      );
      expect(slots.flatMap((one) => one.slots).reduce((sum, one) => sum + one, 0)).toBe(count);
      // Nobody asked about this process, which has none of it.
      expect(counted(process.pid, CountKind.blockWrite).count).toBe(0);
    },
  );
});

describe.runIf(stands("TCP connects"))("TCP", () => {
  test("connections that came about and those that were refused", { timeout: PATIENCE_MS }, async () => {
    let accepted = 0;
    const server = createServer((socket) => {
      accepted++;
      socket.resume().on("error", () => {});
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const child = await worker(`${CONNECT} process.send("done");`, String(port), "23");
    await said(child);
    server.close();
    const refused = await worker(`${CONNECT} process.send("done");`, String(port), "11");
    await said(refused);
    await nextTick();
    expect(accepted).toBe(23);
    expect(counted(child.pid, CountKind.connect).count).toBe(23);
    expect(counted(child.pid, CountKind.connectFailed).count).toBe(0);
    expect(counted(refused.pid, CountKind.connect).count).toBe(0);
    expect(counted(refused.pid, CountKind.connectFailed).count).toBe(11);
    // A refusal is a reset.
    if (stands("TCP resets")) expect(counted(refused.pid, CountKind.resetReceived).count).toBe(11);
  });

  test("of a process that has ended the last word is told once", { timeout: PATIENCE_MS }, async () => {
    const server = createServer((socket) => socket.resume().on("error", () => {})).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const child = await worker(`${CONNECT} process.exit(0);`, String(port), "7");
    await once(child, "exit");
    await nextTick();
    const key = `${child.pid} ${CountKind.connect} 0`;
    expect(counts.get(key)).toMatchObject({ count: 7, isLast: true });
    counts.delete(key);
    await nextTick();
    expect(counts.has(key)).toBe(false);
    server.close();
  });

  test(
    "connections that are older than the watch are open, and have round trips",
    { timeout: PATIENCE_MS },
    async () => {
      if (!stands("TCP connections that are open")) return;
      const server = createServer((socket) => socket.pipe(socket).on("error", () => {})).listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const child = await unwatched(`
      const { connect } = await import("node:net");
      const { once } = await import("node:events");
      for (let i = 0; i < 5; i++) {
        const socket = connect({ port: ${port}, host: "127.0.0.1" });
        socket.write("hello");
        await once(socket, "data");
      }
      process.send("done");`);
      child.send("go");
      await said(child);
      await watch(child);
      await eventually(
        () => counted(child.pid, CountKind.roundTrip).count === 5 && counted(child.pid, CountKind.roundTrip).ns > 0,
        () => `five open connections: ${JSON.stringify(counted(child.pid, CountKind.roundTrip))}`,
      );
      const { count, ns } = counted(child.pid, CountKind.roundTrip);
      // On one machine: above nothing, and far below a second.
      expect(ns / count).toBeGreaterThan(0);
      expect(ns / count).toBeLessThan(1e9);
      server.close();
    },
  );

  test(
    "connections that a process takes are its own from the beginning: those that it resets at once count for it",
    { timeout: PATIENCE_MS },
    async () => {
      if (!stands("TCP resets")) return;
      const server = await worker(`
        const { createServer } = await import("node:net");
        const one = createServer((socket) => socket.on("error", () => {}).resetAndDestroy()).listen(0, "127.0.0.1", () => process.send(one.address().port));`);
      const port = await said<number>(server);
      // Where the system chose the port it is known from the next tick on.
      await nextTick();
      for (let i = 0; i < 9; i++) {
        const socket = connect({ port, host: "127.0.0.1" }).on("error", () => {});
        await new Promise((resolve) => socket.once("close", resolve));
      }
      await nextTick();
      expect(counted(server.pid, CountKind.resetSent).count).toBe(9);
      // Nobody asked about the other end.
      expect(counted(process.pid, CountKind.resetReceived).count).toBe(0);
    },
  );

  test(
    "a port whose listener has ended is nobody's, and then that of the process that takes it",
    { timeout: PATIENCE_MS },
    async () => {
      if (!stands("TCP resets") || !stands("TCP connections that are open")) return;
      const resetting = (port: number): string => `
        const { createServer } = await import("node:net");
        const one = createServer((socket) => socket.on("error", () => {}).resetAndDestroy()).listen(${port}, "127.0.0.1", () => process.send(one.address().port));`;
      const first = await worker(resetting(0));
      const port = await said<number>(first);
      const callTimes = async (times: number): Promise<void> => {
        for (let i = 0; i < times; i++) {
          const socket = connect({ port, host: "127.0.0.1" }).on("error", () => {});
          await new Promise((resolve) => socket.once("close", resolve));
        }
        await nextTick();
      };
      await nextTick();
      await callTimes(3);
      expect(counted(first.pid, CountKind.resetSent).count).toBe(3);
      first.kill("SIGKILL");
      await once(first, "exit");
      counts.clear();
      const second = await unwatched(resetting(port));
      second.send("go");
      expect(await said<number>(second)).toBe(port);
      await callTimes(9);
      // Only the last word of what it did itself, if that.
      expect(counted(first.pid, CountKind.resetSent).count).toBeLessThanOrEqual(3);
      await watch(second);
      await nextTick();
      await callTimes(5);
      expect(counted(second.pid, CountKind.resetSent).count).toBe(5);
    },
  );

  test.runIf(bpftool !== undefined && isRoot)(
    "listeners that come and go leave no place behind, and those that find none are counted",
    { timeout: PATIENCE_MS },
    async () => {
      if (!stands("TCP connections that are open")) return;
      const places = placesOf(helper.pid!, "listeners");
      const listening = `
        const { createServer } = await import("node:net");
        const open = (count) => Promise.all(Array.from({ length: count }, () => new Promise((resolve) => {
          const one = createServer().listen(0, "127.0.0.1", () => resolve(one));
        })));
        const close = (servers) => Promise.all(servers.map((one) => new Promise((resolve) => one.close(resolve))));
        const next = () => new Promise((resolve) => process.once("message", resolve));
        process.send("begun");`;
      const child = await worker(`${listening}
        for (;;) {
          const servers = await open(await next());
          process.send("open");
          await next();
          await close(servers);
          process.send("closed");
        }`);
      await said(child);
      const open = async (count: number): Promise<void> => {
        const answer = said(child);
        child.send(count);
        await answer;
        await nextTick();
      };
      const close = async (): Promise<void> => {
        const answer = said(child);
        child.send(0);
        await answer;
      };
      expect(places()).toBe(0);
      await open(50);
      expect(places()).toBe(50);
      await close();
      // At once: no tick has to look for what is gone.
      expect(places()).toBe(0);
      // 4096 have a place.
      expect(lost).toBe(0);
      await open(4196);
      expect(places()).toBeGreaterThan(4000);
      expect(lost).toBeGreaterThanOrEqual(100);
      await close();
      expect(places()).toBe(0);
      // Without the probes nobody sees them close: the end of their process is seen.
      await open(50);
      helper.shed("tcp");
      await nextTick();
      expect(places()).toBe(50);
      child.kill("SIGKILL");
      await once(child, "exit");
      await nextTick();
      expect(places()).toBe(0);
    },
  );

  test(
    "a queue of connections that nobody takes: the first packet is sent again",
    { timeout: PATIENCE_MS },
    async () => {
      if (!stands("TCP retransmits")) return;
      // It stops before it takes one from its queue of one: the third first packet is dropped, and repeated after a second.
      const listener = spawn(
        process.execPath,
        [
          "-e",
          `
      const server = require("node:net").createServer().listen(0, "127.0.0.1", 1, () => {
        process.stdout.write(server.address().port + "\\n", () => process.kill(process.pid, "SIGSTOP"));
      });`,
        ],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      children.push(listener);
      const port = Number(String((await once(listener.stdout, "data"))[0]));
      await eventually(
        () => / T /.test(readFileSync(`/proc/${listener.pid}/stat`, "utf8")),
        () => "the stop",
      );
      const again = (): number => Number(/^Tcp: (?:-?\d+ ){11}(\d+)/m.exec(readFileSync("/proc/net/snmp", "utf8"))![1]);
      const before = again();
      const child = await worker(`
      const { connect } = await import("node:net");
      for (let i = 0; i < 5; i++) connect({ port: ${port}, host: "127.0.0.1" }).on("error", () => {});`);
      await eventually(
        () => counted(child.pid, CountKind.retransmit).count >= 2,
        () => `packets of ${child.pid} that were sent again`,
      );
      // Of all that the machine sends again these are a part.
      expect(again() - before).toBeGreaterThanOrEqual(counted(child.pid, CountKind.retransmit).count);
    },
  );
});

test.runIf(stands("kernel lock contention") && isOnDisk)(
  "threads that write into one file wait for its lock, no longer than there is time",
  { timeout: PATIENCE_MS },
  async () => {
    const begun = performance.now();
    const child = await worker(`
      const { openSync, write } = await import("node:fs");
      const file = openSync("one", "w");
      const block = Buffer.alloc(4 << 20);
      const again = (left) => new Promise((resolve) => write(file, block, 0, block.length, 0, () => resolve(left > 0 ? again(left - 1) : 0)));
      await Promise.all([again(25), again(25), again(25), again(25)]);
      process.send("done");`);
    await said(child);
    await nextTick();
    const { count, ns } = counted(child.pid, CountKind.kernelLock);
    expect(count).toBeGreaterThan(0);
    // Four threads of the pool and the main one at most.
    expect(ns).toBeLessThan(5 * (performance.now() - begun) * 1e6);
  },
);

test.runIf(stands("off-CPU times and stacks"))(
  "each probe says whether it stands, and what is shed does not count",
  { timeout: PATIENCE_MS },
  async () => {
    const rungs = new Map(probes.map(({ name, rung, reason }) => [name, rung === "none" ? reason : rung]));
    for (const name of [
      "block-io-begin",
      "block-io-done",
      "block-io-end",
      "tcp-state",
      "tcp-end",
      "tcp-retransmit",
      "tcp-reset-sent",
      "tcp-reset-received",
      "tcp-open",
      "kernel-lock-begin",
      "kernel-lock-end",
    ])
      expect(rungs.get(name), name).toMatch(/\w/);
    if (!stands("TCP connects")) return;
    helper.shed("tcp");
    const server = createServer((socket) => socket.resume().on("error", () => {})).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const child = await worker(`${CONNECT} process.send("done");`, String(port), "3");
    await said(child);
    await nextTick();
    expect(counted(child.pid, CountKind.connect).count).toBe(0);
    server.close();
  },
);

test.runIf(stands("off-CPU times and stacks") && isRoot && bpftool !== undefined)(
  "a helper that is killed leaves no probe behind",
  { timeout: PATIENCE_MS },
  async () => {
    const pid = helper.pid!;
    const ids = new Set<string>();
    for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
      const text = readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8");
      for (const [, kind, id] of text.matchAll(/^(prog|link)_id:\s+(\d+)$/gm)) ids.add(`${kind} ${id}`);
    }
    const isKnown = (one: string): boolean => {
      const [kind, id] = one.split(" ");
      return spawnSync(bpftool!, [kind!, "show", "id", id!]).status === 0;
    };
    expect([...ids].filter((one) => one.startsWith("link")).length).toBeGreaterThan(10);
    expect([...ids].filter((one) => !isKnown(one))).toEqual([]);
    process.kill(pid, "SIGKILL");
    await expect(helper.ended).rejects.toThrow("SIGKILL");
    // The kernel frees them a moment after the last descriptor is gone.
    await eventually(
      () => ![...ids].some(isKnown),
      () => `the end of ${[...ids].filter(isKnown).join(", ")}`,
    );
  },
);
