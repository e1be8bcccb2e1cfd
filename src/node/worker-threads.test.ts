import { once } from "node:events";
import { BroadcastChannel, getEnvironmentData, Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { OtlpProfileParts } from "../formats/write-otlp-profiles.ts";
import { addPauses, type Pauses } from "./gc-pauses.ts";
import { WORKER_KEY, WorkerBoard, type WorkerSettings } from "./worker-board.ts";
import type { WorkerReport } from "./worker-report.ts";
import { WorkerThreads } from "./worker-threads.ts";

const SETTINGS = {
  isProfiling: true,
  isMeasuring: true,
  samplesPerSecond: 49,
  windowMs: 10_000,
  links: "off" as const,
};

let taken: OtlpProfileParts[] = [];
let threads: WorkerThreads;
let sender: BroadcastChannel;
beforeEach(() => {
  taken = [];
  threads = new WorkerThreads({ ...SETTINGS, isTalking: false }, (parts) => taken.push(parts));
  threads.start();
  sender = new BroadcastChannel(WORKER_KEY);
});
afterEach(() => {
  threads.stop();
  sender.close();
});

const pausesOf = (type: string, ...seconds: number[]): Map<string, Pauses> => {
  const totals = new Map<string, Pauses>();
  for (const one of seconds)
    addPauses(totals, type, {
      count: 1,
      sum: one,
      min: one,
      max: one,
      buckets: [Number(one <= 0.01), Number(one > 0.01), 0, 0, 0],
    });
  return totals;
};
const NOTHING = {
  activeS: 0,
  idleS: 0,
  lateS: -1,
  pauses: new Map(),
  scopes: new Uint8Array(),
  dictionary: new Uint8Array(),
};
const report = (threadId: number, name: string, more: Partial<WorkerReport>): WorkerReport => ({
  ...NOTHING,
  threadId,
  name,
  ...more,
});

const value = (name: string): unknown => threads.read().find((point) => point.name === name)?.value;

test("workers that live are counted, and lose their place when they are ended", async () => {
  expect(value("longpole.nodejs.workers")).toEqual({ kind: "up-down-counter", value: 0 });
  const started = Array.from({ length: 2 }, () => new Worker("setInterval(() => {}, 1000)", { eval: true }));
  const board = new WorkerBoard((getEnvironmentData(WORKER_KEY) as unknown as WorkerSettings).cells);
  for (const { threadId } of started) board.claim(threadId);
  await Promise.all(started.map((worker) => once(worker, "online")));
  expect(value("longpole.nodejs.workers")).toEqual({ kind: "up-down-counter", value: 2 });
  expect(value("longpole.nodejs.workers.profiled")).toEqual({ kind: "up-down-counter", value: 2 });
  await started[0]!.terminate();
  expect(value("longpole.nodejs.workers")).toEqual({ kind: "up-down-counter", value: 1 });
  expect(value("longpole.nodejs.workers.profiled")).toEqual({ kind: "up-down-counter", value: 1 });
  await started[1]!.terminate();
});

test("what workers of one name tell is summed; their profiles are passed on", async () => {
  const scopes = Uint8Array.of(1);
  sender.postMessage(
    report(1, "resize.js", { activeS: 2, idleS: 1, lateS: 0.5, pauses: pausesOf("minor", 0.002, 0.02), scopes }),
  );
  sender.postMessage(report(2, "resize.js", { activeS: 3, idleS: 4, lateS: 0.25, pauses: pausesOf("minor", 0.001) }));
  // Someone else's message on the same channel.
  sender.postMessage({ threadId: 3 });
  sender.postMessage(report(4, "mail.js", { activeS: 1 }));
  let points = threads.read();
  await vi.waitFor(() => {
    points = threads.read();
    expect(points.some(({ attributes }) => attributes["longpole.nodejs.worker.name"] === "mail.js")).toBe(true);
  });
  const of = (name: string): unknown[] =>
    points
      .filter((point) => point.name === name && point.attributes["longpole.nodejs.worker.name"] === "resize.js")
      .map((point) => ("value" in point.value ? point.value.value : point.value));
  expect(of("longpole.nodejs.worker.time")).toEqual([5, 5]);
  expect(of("longpole.nodejs.worker.collection.duration")).toEqual([
    {
      kind: "histogram",
      count: 3,
      sum: expect.closeTo(0.023) as number,
      min: 0.001,
      max: 0.02,
      bounds: [0.01, 0.1, 1, 10],
      buckets: [2, 1, 0, 0, 0],
    },
  ]);
  expect(taken.map((parts) => [...parts.scopes])).toEqual([[1]]);
});

test("a program that makes up names has 32 of them, and the others together", async () => {
  for (let i = 1; i <= 40; i++) sender.postMessage(report(i, `job-${i}.js`, { activeS: 1 }));
  let active: (readonly [string, number])[] = [];
  await vi.waitFor(() => {
    active = threads
      .read()
      .filter(({ attributes }) => attributes["nodejs.eventloop.state"] === "active")
      .map(
        ({ attributes, value }) =>
          [attributes["longpole.nodejs.worker.name"]!, "value" in value ? value.value : 0] as const,
      );
    expect(active.reduce((sum, [, seconds]) => sum + seconds, 0)).toBe(40);
  });
  expect(active).toHaveLength(33);
  expect(active.at(-1)).toEqual(["(other)", 8]);
});
