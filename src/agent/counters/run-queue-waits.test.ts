import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { ResourceMetrics } from "../export/metric-points.ts";
import { parseStat, type SeenProcess } from "./process-table.ts";
import { KeptFile } from "./kept-file.ts";
import { RunQueueWaits } from "./run-queue-waits.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

function seen(pid: number): SeenProcess {
  const stat = parseStat(readFileSync(`/proc/${pid}/stat`))!;
  const statFile = new KeptFile(`/proc/${pid}/stat`, true);
  return { pid, stat, isChanged: true, looks: 1, text: new Uint8Array(), size: 0, status: undefined, statFile };
}

/** [main, other] seconds that are told of a process. */
function told(waits: RunQueueWaits, pid: number): readonly number[] {
  const into = new ResourceMetrics();
  waits.add(into, pid);
  return into.values.slice(0, into.points);
}

/** Nanoseconds in the queue of all threads but the first, and of that, by the kernel. */
function counted(pid: number): { main: number; other: number } {
  const sum = { main: 0, other: 0 };
  for (const tid of readdirSync(`/proc/${pid}/task`).map(Number)) {
    const ns = Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "latin1").split(" ")[1]);
    sum[tid === pid ? "main" : "other"] += ns;
  }
  return sum;
}

/** Threads that compete for one processor for some tenths of a second, and then stand still. */
const BUSY = `
const { Worker, isMainThread } = require("node:worker_threads");
const spin = () => { for (const end = Date.now() + 150; Date.now() < end; ); };
if (isMainThread) {
  const workers = [new Worker(__filename), new Worker(__filename)];
  process.stdin.on("data", () => {
    for (const worker of workers) worker.postMessage(1);
    spin();
    Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("message", resolve)))).then(() => process.stdout.write("."));
  });
  Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("online", resolve)))).then(() => process.stdout.write("."));
} else require("node:worker_threads").parentPort.on("message", () => { spin(); require("node:worker_threads").parentPort.postMessage(1); });
`;

/** A processor that this process may use: the first may be another group's. */
function allowedProcessor(): string {
  const [, first] = /^Cpus_allowed_list:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "latin1")) ?? [];
  if (first === undefined) throw new Error("/proc/self/status names no processor that may be used");
  return first;
}

/** What a process says next; an error where it ends instead. */
async function nextWord(child: ChildProcess): Promise<void> {
  const ended = new AbortController();
  const exit = once(child, "exit", { signal: ended.signal }).then(([code, signal]) => {
    throw new Error(`it ended before it said anything: ${String(signal ?? code)}`);
  });
  try {
    await Promise.race([once(child.stdout!, "data"), exit]);
  } finally {
    exit.catch(() => {});
    ended.abort();
  }
}

test("one that ends instead of saying anything is an error at once", async () => {
  const child = spawn(process.execPath, ["-e", "process.exit(3)"], { stdio: ["ignore", "pipe", "inherit"] });
  await expect(nextWord(child)).rejects.toThrow("it ended before it said anything: 3");
});

test("what the threads of a process waited since the first look is what the kernel counts", async ({ skip }) => {
  if (spawnSync("taskset", ["--version"]).status !== 0)
    skip("threads compete for one processor by taskset (util-linux), which is not here");
  const folder = mkdtempSync(join(tmpdir(), "longpole-waits-"));
  const file = join(folder, "busy.cjs");
  writeFileSync(file, BUSY);
  try {
    const child = spawn("taskset", ["-c", allowedProcessor(), process.execPath, file], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    children.push(child);
    await nextWord(child);
    const pid = child.pid!;
    const waits = new RunQueueWaits();
    const before = counted(pid);
    waits.look([seen(pid)], 0);
    expect(told(waits, pid)).toEqual([0, 0]);
    child.stdin!.write("x");
    await nextWord(child);
    waits.look([seen(pid)], 0);
    const after = counted(pid);
    const [main, other] = told(waits, pid).map((seconds) => Math.round(seconds * 1e9));
    // Between the looks and the counts here a thread may wait a moment more.
    expect(main!).toBeGreaterThan(0);
    expect(main!).toBeLessThanOrEqual(after.main - before.main);
    expect(other!).toBeLessThanOrEqual(after.other - before.other);
    // Three of them and one processor: while one runs, two wait.
    expect(main! + other!).toBeGreaterThan(0.9 * (after.main + after.other - before.main - before.other));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("not at each scrape of a second; a clock that was set back is no reason to wait", () => {
  const waits = new RunQueueWaits();
  expect(waits.isDue(10_000)).toBe(true);
  waits.look([], 10_000);
  expect([14_499, 14_500, 10_000, 5500].map((ms) => waits.isDue(ms))).toEqual([false, true, false, true]);
});

test("one that did nothing is not read, and one that ended is forgotten", () => {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  children.push(child);
  const waits = new RunQueueWaits();
  waits.look([seen(child.pid!)], 0);
  expect(told(waits, child.pid!)).toEqual([0, 0]);
  waits.look([], 0);
  expect(told(waits, child.pid!)).toEqual([]);
});
