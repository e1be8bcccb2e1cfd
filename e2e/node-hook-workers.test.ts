import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Received, runHooked, wallByThread } from "./hooked.ts";

const received = new Received();
let folder = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpole-workers-"));
  await received.listen();
});
beforeEach(() => received.clear());
afterAll(() => {
  received.close();
  rmSync(folder, { recursive: true });
});

const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const last = <T>(list: readonly T[]): T => list.at(-1)!;

/** A job in one piece, in a worker that ends with it. */
const JOB = `
const { parentPort, threadId } = require("node:worker_threads");
const { readlinkSync } = require("node:fs");
parentPort.postMessage("began");
function grind(ms) { const end = performance.now() + ms; let x = 0; while (performance.now() < end) x = Math.imul(x, 31) + 1 | 0; return x; }
const began = performance.now();
grind(800);
console.log(JSON.stringify({ job: threadId, tid: Number(readlinkSync("/proc/thread-self").split("/").at(-1)), jobMs: performance.now() - began }));
`;

/** A worker that stays, works and collects garbage, and counts its collections itself. */
const POOL = `
const { parentPort } = require("node:worker_threads");
const { PerformanceObserver } = require("node:perf_hooks");
let count = 0;
new PerformanceObserver((list) => (count += list.getEntries().length)).observe({ entryTypes: ["gc"] });
let kept = [];
function squeeze(pause) { const end = performance.now() + pause; while (performance.now() < end) { kept.push(new Array(100).fill(0)); if (kept.length > 20000) kept = []; } }
parentPort.on("message", (message) => {
  if (message !== "end") { squeeze(100); parentPort.postMessage("done"); return; }
  // What was collected is told in a later turn.
  setTimeout(() => { console.log(JSON.stringify({ pool: count })); parentPort.close(); }, 50);
});
`;

test("a job in one piece and a worker that stays: their functions by thread, their time and their collections", async () => {
  write("job.cjs", JOB);
  write("pool.cjs", POOL);
  const app = write(
    "app.cjs",
    `
const { Worker } = require("node:worker_threads");
const file = (name) => require("node:path").join(__dirname, name);
function serve(ms) { const end = performance.now() + ms; while (performance.now() < end); }
// Of two that begin at once either could be the one that is looked at from its first moment on.
new Worker(file("job.cjs")).once("message", () => {
  const pool = new Worker(file("pool.cjs"));
  let left = 30;
  const ask = () => { serve(20); pool.postMessage(--left > 0 ? "work" : "end"); };
  pool.on("message", ask);
  pool.once("online", ask);
});
`,
  );
  const end = await runHooked(app, received);
  expect([end.code, end.stderr]).toEqual([0, ""]);
  const said = Object.assign(
    {},
    ...end.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object),
  ) as {
    job: number;
    tid: number;
    jobMs: number;
    pool: number;
  };
  const profiles = received.profiles();

  // The job's thread by its number of the system, as it read it itself.
  const grind = wallByThread(profiles, "grind");
  expect([...grind.keys()]).toEqual([`worker ${said.job} job.cjs`]);
  const { tid, ns, samples } = [...grind.values()][0]!;
  expect(tid).toBe(said.tid);
  // 800 ms at 199 samples a second are 159; on a busy machine there are fewer, which stand for more time each.
  expect(ns / 1e6).toBeGreaterThan(700);
  expect(ns / 1e6).toBeLessThan(said.jobMs + 50);
  expect(samples).toBeGreaterThan(20);
  const squeeze = [...wallByThread(profiles, "squeeze").keys()];
  expect(squeeze).toHaveLength(1);
  expect(squeeze[0]).toMatch(/^worker \d+ pool\.cjs$/);
  const serve = wallByThread(profiles, "serve");
  expect([...serve].map(([name, thread]) => [name, thread.tid])).toEqual([["main", end.pid]]);

  const of = (metric: string, name: string, state?: string): number[] =>
    received
      .points(metric)
      .filter((point) => point.attributes["longpole.nodejs.worker.name"] === name)
      .filter((point) => state === undefined || point.attributes["nodejs.eventloop.state"] === state)
      .map(({ value }) => value);
  expect(last(of("longpole.nodejs.worker.time", "job.cjs", "active"))).toBeGreaterThan(0.8);
  // 29 pieces of 100 ms, and what Node does in between.
  const active = last(of("longpole.nodejs.worker.time", "pool.cjs", "active"));
  expect(active).toBeGreaterThan(2.9);
  expect(last(of("longpole.nodejs.worker.time", "pool.cjs", "idle"))).toBeGreaterThan(0);
  // A piece keeps the worker's timers waiting for 80 to 100 ms.
  expect(Math.max(...of("longpole.nodejs.worker.late.max", "pool.cjs"))).toBeGreaterThan(0.075);
  // All but the collections of its first second.
  const collected = received
    .points("longpole.nodejs.worker.collection.duration")
    .filter((point) => point.attributes["longpole.nodejs.worker.name"] === "pool.cjs");
  const byType = new Map(collected.map((point) => [point.attributes["v8js.gc.type"], point.count]));
  const count = [...byType.values()].reduce((sum, one) => sum + one, 0);
  expect(count).toBeGreaterThan(0.4 * said.pool);
  expect(count).toBeLessThanOrEqual(said.pool);
  expect(last(received.points("longpole.nodejs.workers")).value).toBe(0);
  expect(last(received.points("longpole.nodejs.workers.profiled")).value).toBe(0);
}, 60_000);

test("a hundred workers of a moment each are counted, leave nothing behind, and are looked at now and then", async () => {
  write("moment.cjs", "setTimeout(() => {}, 5);");
  const app = write(
    "many.cjs",
    `
const { Worker } = require("node:worker_threads");
const moment = require("node:path").join(__dirname, "moment.cjs");
let left = 100;
const next = () => { if (left-- > 0) new Worker(moment).once("exit", next); };
for (let i = 0; i < 4; i++) next();
`,
  );
  const end = await runHooked(app, received);
  expect([end.code, end.stdout, end.stderr]).toEqual([0, "", ""]);
  const value = (name: string): number => last(received.points(name)).value;
  expect([value("longpole.nodejs.workers"), value("longpole.nodejs.workers.profiled")]).toEqual([0, 0]);
  expect(value("longpole.nodejs.workers.reports.lost")).toBe(0);
  // One in five seconds is looked at from its first moment on.
  expect(value("longpole.nodejs.workers.unseen")).toBeGreaterThanOrEqual(80);
  expect(value("longpole.nodejs.workers.unseen")).toBeLessThan(100);
  const names = new Set(
    received.points("longpole.nodejs.worker.time").map(({ attributes }) => attributes["longpole.nodejs.worker.name"]),
  );
  expect([...names]).toEqual(["moment.cjs"]);
}, 60_000);

test("workers that are ended from outside give their places to others", async () => {
  write("stay.cjs", "setInterval(() => {}, 1000);");
  const app = write(
    "ended.cjs",
    `
const { Worker } = require("node:worker_threads");
const stay = require("node:path").join(__dirname, "stay.cjs");
const begin = (count) => Array.from({ length: count }, () => new Worker(stay));
const first = begin(18);
// The hook is not in these: their settings are their own.
const stranger = new Worker(stay, { execArgv: [] });
setTimeout(async () => {
  await Promise.all(first.map((worker) => worker.terminate()));
  const second = begin(3);
  setTimeout(() => [...second, stranger].forEach((worker) => worker.terminate()), 3500);
}, 4500);
`,
  );
  const end = await runHooked(app, received);
  expect([end.code, end.stderr]).toEqual([0, ""]);
  const profiled = received.points("longpole.nodejs.workers.profiled").map(({ value }) => value);
  const alive = received.points("longpole.nodejs.workers").map(({ value }) => value);
  expect([Math.max(...profiled), Math.max(...alive)]).toEqual([16, 19]);
  expect(profiled.slice(profiled.indexOf(16))).toContain(3);
  expect([last(profiled), last(alive)]).toEqual([0, 0]);
}, 60_000);
