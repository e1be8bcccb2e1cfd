import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, statfsSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CountKind } from "../src/agent/probe-stream.ts";
import { bpftool, CountingHelper, PATIENCE_MS, said } from "./counting-helper.ts";
import { collectorRungs, isRoot, testGround } from "./running-agent.ts";

/*
 * What the helper counts of processes, against what the processes themselves, /proc or the other end of the connection say.
 */

const rungs = collectorRungs();
const stands = (name: string): boolean => rungs.get(name) === "helper";
/** ext4 and xfs write what is synced in the name of who syncs; in memory nothing is written at all. */
const isOnDisk = [0xef53, 0x58465342].includes(statfsSync(tmpdir()).type);

const ground = testGround("counts");
let watched: CountingHelper;
beforeEach(async () => {
  watched = new CountingHelper(ground.folder);
  await watched.helper.ready;
});
afterEach(() => watched.end());

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
      const child = await watched.worker(`
        const { openSync, writeSync, fsyncSync, readFileSync } = await import("node:fs");
        const written = () => Number(/^write_bytes: (\\d+)/m.exec(readFileSync("/proc/self/io", "utf8"))[1]);
        const before = written();
        const file = openSync("blocks", "w");
        for (let i = 0; i < ${blocks}; i++) { writeSync(file, Buffer.alloc(${size}, i)); fsyncSync(file); }
        process.send(written() - before);`);
      const told = await said<number>(child);
      expect(told).toBeGreaterThanOrEqual(blocks * size);
      await watched.nextTick();
      const { count, ns, bytes } = watched.counted(child.pid, CountKind.blockWrite);
      // All of it and no more than a tenth beyond: what the journal writes is the kernel's.
      expect(bytes).toBeGreaterThanOrEqual(blocks * size);
      expect(bytes).toBeLessThanOrEqual(told * 1.1);
      // A sync waits for its own blocks: each is at least one request, and each took some time.
      expect(count).toBeGreaterThanOrEqual(blocks);
      expect(ns / count).toBeGreaterThan(1000);
      const slots = [...watched.counts.values()].filter(
        ({ tgid, kind }) => tgid === child.pid && kind === CountKind.blockWrite,
      );
      expect(slots.flatMap((one) => one.slots).reduce((sum, one) => sum + one, 0)).toBe(count);
      // Nobody asked about this process, which has none of it.
      expect(watched.counted(process.pid, CountKind.blockWrite).count).toBe(0);
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
    const child = await watched.worker(`${CONNECT} process.send("done");`, String(port), "23");
    await said(child);
    server.close();
    const refused = await watched.worker(`${CONNECT} process.send("done");`, String(port), "11");
    await said(refused);
    await watched.nextTick();
    expect(accepted).toBe(23);
    expect(watched.counted(child.pid, CountKind.connect).count).toBe(23);
    expect(watched.counted(child.pid, CountKind.connectFailed).count).toBe(0);
    expect(watched.counted(refused.pid, CountKind.connect).count).toBe(0);
    expect(watched.counted(refused.pid, CountKind.connectFailed).count).toBe(11);
    // A refusal is a reset.
    if (stands("TCP resets")) expect(watched.counted(refused.pid, CountKind.resetReceived).count).toBe(11);
  });

  test("of a process that has ended the last word is told once", { timeout: PATIENCE_MS }, async () => {
    const server = createServer((socket) => socket.resume().on("error", () => {})).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const child = await watched.worker(`${CONNECT} process.exit(0);`, String(port), "7");
    await once(child, "exit");
    await watched.nextTick();
    const key = `${child.pid} ${CountKind.connect} 0`;
    expect(watched.counts.get(key)).toMatchObject({ count: 7, isLast: true });
    watched.counts.delete(key);
    await watched.nextTick();
    expect(watched.counts.has(key)).toBe(false);
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
      const child = await watched.unwatched(`
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
      await watched.watch(child);
      await watched.until(
        () =>
          watched.counted(child.pid, CountKind.roundTrip).count === 5 &&
          watched.counted(child.pid, CountKind.roundTrip).ns > 0,
        () => `five open connections: ${JSON.stringify(watched.counted(child.pid, CountKind.roundTrip))}`,
      );
      const { count, ns } = watched.counted(child.pid, CountKind.roundTrip);
      // On one machine: above nothing, and far below a second.
      expect(ns / count).toBeGreaterThan(0);
      expect(ns / count).toBeLessThan(1e9);
      server.close();
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
      watched.keep(listener);
      const port = Number(String((await once(listener.stdout, "data"))[0]));
      await watched.until(
        () => / T /.test(readFileSync(`/proc/${listener.pid}/stat`, "utf8")),
        () => "the stop",
      );
      const again = (): number => Number(/^Tcp: (?:-?\d+ ){11}(\d+)/m.exec(readFileSync("/proc/net/snmp", "utf8"))![1]);
      const before = again();
      const child = await watched.worker(`
      const { connect } = await import("node:net");
      for (let i = 0; i < 5; i++) connect({ port: ${port}, host: "127.0.0.1" }).on("error", () => {});`);
      await watched.until(
        () => watched.counted(child.pid, CountKind.retransmit).count >= 2,
        () => `packets of ${child.pid} that were sent again`,
      );
      // Of all that the machine sends again these are a part.
      expect(again() - before).toBeGreaterThanOrEqual(watched.counted(child.pid, CountKind.retransmit).count);
    },
  );
});

test.runIf(stands("kernel lock contention") && isOnDisk)(
  "threads that write into one file wait for its lock, no longer than there is time",
  { timeout: PATIENCE_MS },
  async () => {
    const begun = performance.now();
    const child = await watched.worker(`
      const { openSync, write } = await import("node:fs");
      const file = openSync("one", "w");
      const block = Buffer.alloc(4 << 20);
      const again = (left) => new Promise((resolve) => write(file, block, 0, block.length, 0, () => resolve(left > 0 ? again(left - 1) : 0)));
      await Promise.all([again(25), again(25), again(25), again(25)]);
      process.send("done");`);
    await said(child);
    await watched.nextTick();
    const { count, ns } = watched.counted(child.pid, CountKind.kernelLock);
    expect(count).toBeGreaterThan(0);
    // Four threads of the pool and the main one at most.
    expect(ns).toBeLessThan(5 * (performance.now() - begun) * 1e6);
  },
);

test.runIf(stands("off-CPU times and stacks"))(
  "each probe says whether it stands, and what is shed does not count",
  { timeout: PATIENCE_MS },
  async () => {
    const rungs = new Map(watched.probes.map(({ name, rung, reason }) => [name, rung === "none" ? reason : rung]));
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
    watched.helper.shed("tcp");
    const server = createServer((socket) => socket.resume().on("error", () => {})).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const child = await watched.worker(`${CONNECT} process.send("done");`, String(port), "3");
    await said(child);
    await watched.nextTick();
    expect(watched.counted(child.pid, CountKind.connect).count).toBe(0);
    server.close();
  },
);

test.runIf(stands("off-CPU times and stacks") && isRoot && bpftool !== undefined)(
  "a helper that is killed leaves no probe behind",
  { timeout: PATIENCE_MS },
  async () => {
    const pid = watched.helper.pid!;
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
    await expect(watched.helper.ended).rejects.toThrow("SIGKILL");
    // The kernel frees them a moment after the last descriptor is gone.
    await watched.until(
      () => ![...ids].some(isKnown),
      () => `the end of ${[...ids].filter(isKnown).join(", ")}`,
    );
  },
);
