// What the agent costs, and whether its times are true. Three parts, each by its name or all: `cost` (its processor time
// and memory beside the running lab, 19 Hz, with off-CPU times; goal: 1 % of a core, 250 MB), `pairs` (requests per second
// of a Node.js service with and without it, in turns), `exact` (its times of threads against /proc/PID/schedstat; goal: 2 %).
// npm run build first; the machine has to be quiet.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, chmodSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ServingHelper } from "../src/agent/continuous/serving-helper.ts";
import { PAGE_BYTES } from "../src/agent/counters/page-size.ts";
import { helperPath } from "../src/agent/probe-helper.ts";
import type { ProbeRecord } from "../src/agent/probe-stream.ts";

const ROOT = join(import.meta.dirname, "..");
const MAIN = join(ROOT, "dist", "cli", "main.js");
/** Those of deploy/longpole-agent.service. */
const NODE_FLAGS = [
  "--single-threaded-gc",
  "--initial-old-space-size=64",
  "--min-semi-space-size=8",
  "--max-semi-space-size=8",
  "--max-old-space-size=220",
];
const PAIRS = Number(process.env["LONGPOLE_BENCH_PAIRS"] ?? 7);
const LEG_SECONDS = 6;

const folder = mkdtempSync(join(tmpdir(), "longpole-bench-agent-"));
chmodSync(folder, 0o755);
const children: ChildProcess[] = [];

function start(words: readonly string[], stdout: "pipe" | "ignore" = "ignore"): ChildProcess {
  const child = spawn(process.execPath, words, { cwd: ROOT, stdio: ["ignore", stdout, "inherit"] });
  children.push(child);
  return child;
}

/** Takes metrics and profiles, and keeps nothing: an agent whose profiles nobody takes makes none. */
async function startSink(): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((request, response) => {
    request.resume().once("end", () => response.end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

/** Starts the agent; resolves once its probes have had time to be attached. */
async function startAgent(endpoint: string): Promise<ChildProcess> {
  const words = ["agent", "--endpoint", endpoint, "--queue", join(folder, "queue"), "--quiet", "--json"];
  const child = start([...NODE_FLAGS, MAIN, ...words], "pipe");
  await new Promise((resolve) => child.stdout!.once("data", resolve));
  await sleep(3000);
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGINT");
  await ended;
}

/** Processor seconds of a process so far, and its resident bytes. */
function useOf(pid: number): { readonly seconds: number; readonly bytes: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /s, "")
    .split(" ")
    .map(Number);
  return { seconds: (fields[11]! + fields[12]!) / 100, bytes: fields[21]! * PAGE_BYTES };
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);

async function cost(): Promise<void> {
  const sink = await startSink();
  const lab = start([MAIN, "demo", "--fault", "database-doubled", "--seconds", "90", "--no-ui", "--json"], "pipe");
  lab.stdout!.resume();
  await sleep(15_000);
  const agent = await startAgent(sink.url);
  // Its first minute reads symbols and compiles its code.
  await sleep(20_000);
  const pids = [agent.pid!, ...childrenOf(agent.pid!)];
  const before = pids.map(useOf);
  const begun = performance.now();
  await sleep(40_000);
  const seconds = (performance.now() - begun) / 1000;
  const after = pids.map(useOf);
  const share = after.map((use, i) => (100 * (use.seconds - before[i]!.seconds)) / seconds);
  const megabytes = after.map(({ bytes }) => Math.round(bytes / 1e6));
  const said = readFileSync(`/proc/sys/kernel/bpf_stats_enabled`, "latin1").trim();
  console.log(
    `exporter ${share[0]!.toFixed(2)} %, ${megabytes[0]} MB; helper ${(share[1] ?? 0).toFixed(2)} %, ${megabytes[1] ?? 0} MB`,
  );
  console.log(
    `together ${share.reduce((a, b) => a + b, 0).toFixed(2)} % of a core, ${megabytes.reduce((a, b) => a + b, 0)} MB; its programs in the kernel are in longpole.agent.cpu.utilization (bpf_stats ${said})`,
  );
  await stop(agent);
  lab.kill("SIGINT");
  sink.close();
}

async function throughput(port: number): Promise<number> {
  const child = start(
    ["--import", "tsx", join(ROOT, "bench", "agent-target.ts"), "load", String(port), String(LEG_SECONDS)],
    "pipe",
  );
  let text = "";
  child.stdout!.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await new Promise((resolve) => child.once("close", resolve));
  return Number(text);
}

async function pairs(): Promise<void> {
  const sink = await startSink();
  const target = start(["--import", "tsx", join(ROOT, "bench", "agent-target.ts"), "serve"], "pipe");
  const port = await new Promise<number>((resolve) =>
    target.stdout!.once("data", (text: Buffer) => resolve(Number(text))),
  );
  await throughput(port);
  const ratios: number[] = [];
  for (let i = 0; i < PAIRS; i++) {
    const withAgent = async (): Promise<number> => {
      const agent = await startAgent(sink.url);
      const found = await throughput(port);
      await stop(agent);
      return found;
    };
    // Each goes first by turns.
    const first = i % 2 === 0 ? await withAgent() : await throughput(port);
    const second = i % 2 === 0 ? await throughput(port) : await withAgent();
    const [on, off] = i % 2 === 0 ? [first, second] : [second, first];
    ratios.push(on / off);
    console.log(
      `pair ${i + 1}: ${on.toFixed(0)}/s with, ${off.toFixed(0)}/s without: ${(100 * (on / off - 1)).toFixed(1)} %`,
    );
  }
  ratios.sort((a, b) => a - b);
  const median = ratios[ratios.length >> 1]!;
  console.log(
    `median ${(100 * (median - 1)).toFixed(1)} %, from ${(100 * (ratios[0]! - 1)).toFixed(1)} to ${(100 * (ratios.at(-1)! - 1)).toFixed(1)} %; ${ratios.filter((r) => r < 1).length} of ${ratios.length} below`,
  );
  target.kill("SIGKILL");
  sink.close();
}

/** Run and queue nanoseconds of all threads. */
function schedule(pid: number): { readonly run: number; readonly wait: number } {
  let [run, wait] = [0, 0];
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const [r = 0, w = 0] = readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "latin1").split(" ").map(Number);
    run += r;
    wait += w;
  }
  return { run, wait };
}

async function exact(): Promise<void> {
  const target = start(["--import", "tsx", join(ROOT, "bench", "agent-target.ts"), "serve"], "pipe");
  const port = await new Promise<number>((resolve) =>
    target.stdout!.once("data", (text: Buffer) => resolve(Number(text))),
  );
  await throughput(port);
  let sums = { run: 0, wait: 0, blocked: 0, wall: 0 };
  let threads: Extract<ProbeRecord, { readonly type: "thread" }>[] = [];
  const ticks: {
    readonly at: number;
    readonly threads: typeof threads;
    readonly schedule: ReturnType<typeof schedule>;
  }[] = [];
  const helper = new ServingHelper(helperPath(process.env), { hz: 19, tickSeconds: 1, user: undefined }, (record) => {
    if (record.type === "thread") threads.push(record);
    if (record.type !== "tick") return;
    ticks.push({ at: record.endedNs, threads, schedule: schedule(target.pid!) });
    threads = [];
  });
  helper.target(target.pid!);
  await throughput(port);
  helper.stop();
  await helper.ended;
  // Between two ticks, of which each was read as soon as it came.
  const [first, last] = [ticks[1]!, ticks.at(-2)!];
  for (const now of last.threads) {
    const before = first.threads.find(({ tid }) => tid === now.tid);
    if (before === undefined) continue;
    sums = {
      run: sums.run + now.cpuNs - before.cpuNs,
      wait: sums.wait + now.runnableNs - before.runnableNs,
      blocked: sums.blocked + now.blockedNs - before.blockedNs,
      wall: sums.wall + last.at - first.at,
    };
  }
  const told = { run: last.schedule.run - first.schedule.run, wait: last.schedule.wait - first.schedule.wait };
  const off = (a: number, b: number): string => `${((100 * (a - b)) / b).toFixed(2)} %`;
  console.log(`on the processor: ${off(sums.run, told.run)} off; in the queue: ${off(sums.wait, told.wait)} off`);
  console.log(
    `off the processor: ${off(sums.blocked + sums.wait, sums.wall - told.run)} off; times add up to the wall: ${off(sums.run + sums.wait + sums.blocked, sums.wall)} off`,
  );
  target.kill("SIGKILL");
}

const PARTS: Readonly<Record<string, () => Promise<void>>> = { exact, pairs, cost };
try {
  for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PARTS)) {
    console.log(`${name}:`);
    await PARTS[name]!();
  }
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
