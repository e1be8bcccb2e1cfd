import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CountKind } from "../src/agent/probe-stream.ts";
import { bpftool, callTimes, CountingHelper, PATIENCE_MS, said, type Worker } from "./counting-helper.ts";
import { collectorRungs, isRoot, testGround } from "./running-agent.ts";

/*
 * Whose the connections are that come to a port: each is reset as soon as it is taken, and counts for whoever has it.
 */

const rungs = collectorRungs();
const stands = (name: string): boolean => rungs.get(name) === "helper";
const isSeen = stands("TCP resets") && stands("TCP connections that are open");
const hasPerl = spawnSync("perl", ["-v"]).status === 0;

const ground = testGround("listeners");
let watched: CountingHelper;
beforeEach(async () => {
  watched = new CountingHelper(ground.folder);
  await watched.helper.ready;
});
afterEach(() => watched.end());

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

test(
  "connections that a process takes are its own from the beginning: those that it resets at once count for it",
  { timeout: PATIENCE_MS },
  async () => {
    if (!stands("TCP resets")) return;
    const server = await watched.worker(`
      const { createServer } = await import("node:net");
      const one = createServer((socket) => socket.on("error", () => {}).resetAndDestroy()).listen(0, "127.0.0.1", () => process.send(one.address().port));`);
    const port = await said<number>(server);
    // Where the system chose the port it is known from the next tick on.
    await watched.nextTick();
    await callTimes(port, 9);
    await watched.nextTick();
    expect(watched.counted(server.pid, CountKind.resetSent).count).toBe(9);
    // Nobody asked about the other end.
    expect(watched.counted(process.pid, CountKind.resetReceived).count).toBe(0);
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
    const first = await watched.worker(resetting(0));
    const port = await said<number>(first);
    await watched.nextTick();
    await callTimes(port, 3);
    await watched.nextTick();
    expect(watched.counted(first.pid, CountKind.resetSent).count).toBe(3);
    first.kill("SIGKILL");
    await once(first, "exit");
    watched.counts.clear();
    const second = await watched.unwatched(resetting(port));
    second.send("go");
    expect(await said<number>(second)).toBe(port);
    await callTimes(port, 9);
    await watched.nextTick();
    // Only the last word of what it did itself, if that.
    expect(watched.counted(first.pid, CountKind.resetSent).count).toBeLessThanOrEqual(3);
    await watched.watch(second);
    await watched.nextTick();
    await callTimes(port, 5);
    await watched.nextTick();
    expect(watched.counted(second.pid, CountKind.resetSent).count).toBe(5);
  },
);

test.runIf(bpftool !== undefined && isRoot)(
  "listeners that come and go leave no place behind, and those that find none are counted",
  { timeout: PATIENCE_MS },
  async () => {
    if (!stands("TCP connections that are open")) return;
    const places = placesOf(watched.helper.pid!, "listeners");
    const listening = `
      const { createServer } = await import("node:net");
      const open = (count) => Promise.all(Array.from({ length: count }, () => new Promise((resolve) => {
        const one = createServer().listen(0, "127.0.0.1", () => resolve(one));
      })));
      const close = (servers) => Promise.all(servers.map((one) => new Promise((resolve) => one.close(resolve))));
      const next = () => new Promise((resolve) => process.once("message", resolve));
      process.send("begun");`;
    const child = await watched.worker(`${listening}
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
      await watched.nextTick();
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
    expect(watched.lost).toBe(0);
    await open(4196);
    expect(places()).toBeGreaterThan(4000);
    expect(watched.lost).toBeGreaterThanOrEqual(100);
    await close();
    expect(places()).toBe(0);
    // Without the probes nobody sees them close: the end of their process is seen.
    await open(50);
    watched.helper.shed("tcp");
    await watched.nextTick();
    expect(places()).toBe(50);
    child.kill("SIGKILL");
    await once(child, "exit");
    await watched.nextTick();
    expect(places()).toBe(0);
  },
);

/** Processes that take connections: of one socket, which they have of the process that began them, or each of its own. */
const PREFORK = String.raw`
  use Socket;
  my ($port, $count, $shares) = @ARGV;
  sub opened {
    socket(my $socket, PF_INET, SOCK_STREAM, 0) or die;
    setsockopt($socket, SOL_SOCKET, SO_REUSEPORT, 1);
    bind($socket, sockaddr_in($port, INADDR_LOOPBACK)) or die "bind: $!";
    listen($socket, 64) or die;
    ($port) = sockaddr_in(getsockname($socket));
    return $socket;
  }
  my $shared = $shares ? opened() : undef;
  my @children = map {
    my $child = fork();
    if (!$child) {
      my $socket = $shared || opened();
      while (accept(my $taken, $socket)) {
        # What is closed so is reset.
        setsockopt($taken, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0));
        close($taken);
      }
      exit;
    }
    $child
  } 1 .. $count;
  close($shared) if $shares eq "closed";
  $| = 1;
  print "$port\n";
  <STDIN>;
  kill 9, @children;`;

interface Prefork {
  /** by whose end all of them end */
  readonly worker: Worker;
  readonly parent: number;
  readonly port: number;
}

async function prefork(port: number, count: number, shares: "shared" | "closed" | ""): Promise<Prefork> {
  const words = JSON.stringify(["-e", PREFORK, String(port), String(count), shares]);
  const worker = await watched.worker(`
    const { spawn } = await import("node:child_process");
    const server = spawn("perl", ${words}, { stdio: ["pipe", "pipe", "inherit"] });
    server.stdout.once("data", (text) => process.send([server.pid, Number(String(text))]));`);
  const [parent, at] = await said<[number, number]>(worker);
  // Where the system chose the port it is known from the next tick on.
  await watched.nextTick();
  return { worker, parent, port: at };
}

/** A port that nobody has. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

describe.runIf(isSeen)("a port that several processes share", () => {
  const resets = (pid: number | "all"): number => watched.counted(pid, CountKind.resetSent).count;

  test(
    "those of Node.js's cluster have one socket: what nobody has taken yet is the first process's",
    { timeout: PATIENCE_MS },
    async () => {
      writeFileSync(
        join(ground.folder, "cluster.mjs"),
        `import cluster from "node:cluster";
import { createServer } from "node:net";
if (cluster.isPrimary) {
  cluster.setupPrimary({ exec: import.meta.filename, execArgv: [] });
  // The workers take the connections themselves.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  let open = 0;
  for (let i = 0; i < 3; i++) cluster.fork().once("listening", ({ port }) => ++open === 3 && process.send(port));
} else createServer((socket) => socket.on("error", () => {}).resetAndDestroy()).listen(0, "127.0.0.1");`,
      );
      const first = await watched.worker(`await import(${JSON.stringify(join(ground.folder, "cluster.mjs"))});`);
      const port = await said<number>(first);
      await watched.nextTick();
      await callTimes(port, 9);
      await watched.nextTick();
      expect([resets(first.pid), resets("all")]).toEqual([9, 9]);
    },
  );

  test.runIf(hasPerl).each(["shared", "closed", ""] as const)(
    "those of a prefork server have it of their parent (%j), which need not listen itself",
    { timeout: PATIENCE_MS },
    async (shares) => {
      const { parent, port } = await prefork(shares === "" ? await freePort() : 0, 3, shares);
      await callTimes(port, 9);
      await watched.nextTick();
      expect([resets(parent), resets("all")]).toEqual([9, 9]);
    },
  );

  test.runIf(hasPerl)(
    "of two servers that nobody watched began what is not taken yet is nobody's, until one is left",
    { timeout: PATIENCE_MS },
    async () => {
      const at = await freePort();
      const [one, other] = [await prefork(at, 1, ""), await prefork(at, 2, "")];
      await callTimes(at, 9);
      await watched.nextTick();
      expect(resets("all")).toBe(0);
      one.worker.kill("SIGKILL");
      await once(one.worker, "exit");
      await watched.nextTick();
      await callTimes(at, 5);
      await watched.nextTick();
      expect([resets(other.parent), resets("all")]).toEqual([5, 5]);
    },
  );
});
