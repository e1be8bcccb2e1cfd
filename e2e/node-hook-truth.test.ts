import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Received, runHooked } from "./hooked.ts";

/* What the hook tells of the runtime, against what the program or V8 measures by another way. */

const received = new Received();
let folder = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpole-truth-"));
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
const values = (name: string): number[] => received.points(name).map(({ value }) => value);

test("collections: as many and as long as V8's own trace has them", async () => {
  const app = write(
    "gc.cjs",
    `
console.log("the program begins");
let kept = [];
let rounds = 0;
const timer = setInterval(() => {
  for (let i = 0; i < 30000; i++) { kept.push(new Array(20).fill(i)); if (kept.length > 100000) kept = []; }
  if (++rounds === 60) clearInterval(timer);
}, 5);
`,
  );
  const { code, stdout } = await runHooked(app, received, ["--trace-gc"]);
  expect(code).toBe(0);
  // "[7:0x5]  45 ms: Scavenge 4.0 (4.6) -> 3.8 (5.6) MB, 0.80 / 0.00 ms  (average ...) allocation failure;"
  const LINE = /ms: (Scavenge|Mark-Compact)\b.* ([\d.]+) \/ [\d.]+ ms /g;
  const of = (text: string, kind: string): { count: number; ms: number } => {
    const found = [...text.matchAll(LINE)].filter(([, name]) => name === kind);
    return { count: found.length, ms: found.reduce((sum, [, , ms]) => sum + Number(ms), 0) };
  };
  const told = (type: string): { count: number; ms: number } => {
    const point = received.points("v8js.gc.duration").findLast(({ attributes }) => attributes["v8js.gc.type"] === type);
    return { count: point?.count ?? 0, ms: 1e3 * (point?.sum ?? 0) };
  };
  // The hook is there when the program begins; what came before is told in part.
  const ofProgram = stdout.slice(stdout.indexOf("the program begins"));
  for (const [kind, type] of [
    ["Scavenge", "minor"],
    ["Mark-Compact", "major"],
  ] as const) {
    const [all, least, hook] = [of(stdout, kind), of(ofProgram, kind), told(type)];
    expect(least.count).toBeGreaterThan(2);
    expect(hook.count).toBeLessThanOrEqual(all.count);
    // Those behind its last word are missing.
    expect(hook.count).toBeGreaterThanOrEqual(least.count - 2);
    // V8 prints tenths or hundredths, and Node's clock has the calls around a collection in it.
    expect(hook.ms).toBeGreaterThan(0.75 * least.ms - 3);
    expect(hook.ms).toBeLessThan(1.25 * all.ms + 3);
  }
}, 60_000);

test("event loop: one that stands still is late by so much, one that does nothing is not", async () => {
  const app = write(
    "loop.cjs",
    `
setTimeout(() => {
  const began = performance.now();
  while (performance.now() < began + 400);
  console.log(performance.now() - began);
}, 1500);
setTimeout(() => {}, 3500);
`,
  );
  const { code, stdout } = await runHooked(app, received);
  expect(code).toBe(0);
  const stoodMs = Number(stdout);
  const max = values("nodejs.eventloop.delay.max").map((seconds) => 1e3 * seconds);
  const worst = max.indexOf(Math.max(...max));
  // A timer of 20 ms was due within the first 20 ms of it, and its clock has whole milliseconds.
  expect(max[worst]).toBeGreaterThan(stoodMs - 22);
  expect(max[worst]).toBeLessThan(stoodMs + 25);
  // Most timers of the same interval came in time: the clock between two of them is no delay.
  const middle = values("nodejs.eventloop.delay.p50").map((seconds) => 1e3 * seconds);
  expect(Math.min(...middle)).toBeLessThan(10);
  const times = received.points("nodejs.eventloop.time");
  const last = (state: string): number =>
    times.findLast(({ attributes }) => attributes["nodejs.eventloop.state"] === state)!.value;
  expect(1e3 * last("active")).toBeGreaterThan(stoodMs);
  // It has nothing to do for 3 s; on a busy machine coming back from that takes time, which is active.
  expect(1e3 * last("idle")).toBeGreaterThan(500);
}, 60_000);

test("pool of threads: what waits behind known work waits as long as that takes, also while it is not done yet", async () => {
  const app = write(
    "pool.cjs",
    `
const { pbkdf2 } = require("node:crypto");
const rounds = (n, done) => pbkdf2("x", "salt", n, 64, "sha512", done);
const calibrated = performance.now();
rounds(200000, () => {
  const each = Math.ceil((200000 * 500) / (performance.now() - calibrated));
  const began = performance.now();
  let left = 5;
  for (let i = 0; i < 5; i++) rounds(each, () => { if (--left === 0) console.log(performance.now() - began); });
});
`,
  );
  const { code, stdout } = await runHooked(app, received, [], { UV_THREADPOOL_SIZE: "1" });
  expect(code).toBe(0);
  // One thread and five pieces of work of about 500 ms each: a task behind them waits for what is left of all.
  const allMs = Number(stdout);
  expect(allMs).toBeGreaterThan(500);
  const waits = values("longpole.nodejs.threadpool.delay").map((seconds) => 1e3 * seconds);
  // A task is sent each 250 ms.
  expect(Math.max(...waits)).toBeGreaterThan(allMs - 400);
  expect(Math.max(...waits)).toBeLessThan(allMs + 100);
  // Windows end while it waits: each of them tells how long it did by then.
  expect(waits.filter((ms) => ms > 300).length).toBeGreaterThan(1);
}, 60_000);

test("allocations: a program that collects little is never made to collect for them, one that collects much once a minute", async () => {
  // The same work, half of what it needs kept or all of it thrown away at once.
  const program = (count: number): string => `
let kept = [];
function fillBaskets() { for (let i = 0; i < ${count}; i++) { kept.push(new Array(30).fill(i)); if (kept.length > 60000) kept = []; } }
const timer = setInterval(fillBaskets, 10);
setTimeout(() => clearInterval(timer), 4500);
`;
  const forced = (text: string): number => text.match(/sampling profiler/g)?.length ?? 0;
  const allocated = (): boolean[] =>
    received
      .profiles()
      .filter(({ valueTypes }) => valueTypes.some(({ type }) => type === "alloc_space"))
      .map(({ frames, strings }) => [...frames.function].some((id) => strings.get(id) === "fillBaskets"));
  const little = await runHooked(write("little.cjs", program(20)), received, ["--trace-gc"]);
  expect([little.code, forced(little.stdout), allocated()]).toEqual([0, 0, []]);
  received.clear();
  const much = await runHooked(write("much.cjs", program(20_000)), received, ["--trace-gc"]);
  expect([much.code, forced(much.stdout), allocated()]).toEqual([0, 1, [true]]);
}, 60_000);
