import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { RuntimeMetrics } from "./runtime-metrics.ts";

const metrics = new RuntimeMetrics();
afterEach(() => metrics.stop());

const workers = (): unknown => metrics.read().find(({ name }) => name === "longpole.nodejs.workers")?.value;

test("worker threads that live are counted, as nothing else is told of them", async () => {
  metrics.start();
  expect(workers()).toEqual({ kind: "up-down-counter", value: 0 });
  const started = Array.from({ length: 2 }, () => new Worker("setInterval(() => {}, 1000)", { eval: true }));
  await Promise.all(started.map((worker) => once(worker, "online")));
  expect(workers()).toEqual({ kind: "up-down-counter", value: 2 });
  await started[0]!.terminate();
  expect(workers()).toEqual({ kind: "up-down-counter", value: 1 });
  await started[1]!.terminate();
});
