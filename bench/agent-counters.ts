// What counting costs: the machine, 200 processes of services and their control groups, once a second, without sending.
// The figure is processor time of this process, as a share of one core. Goal: 1.4 %.
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { CounterCollector } from "../src/agent/counters/counter-collector.ts";
import { DirectPeek } from "../src/agent/counters/process-peek.ts";

const PROCESSES = 200;
const SECONDS = 20;

const children = Array.from({ length: PROCESSES }, (_, i) =>
  spawn("sleep", ["300"], { stdio: "ignore", env: { OTEL_SERVICE_NAME: `bench-${i % 20}` } }),
);
try {
  await sleep(500);
  const collector = new CounterCollector({ attributes: { "host.name": "bench" }, version: "0" }, new DirectPeek());
  // Identities are found out in the first looks, and the code is compiled.
  for (let i = 0; i < 6; i++) await collector.scrape(Date.now() + i * 1000);
  const before = process.cpuUsage();
  let [points, bytes] = [0, 0];
  for (let i = 0; i < SECONDS; i++) {
    const begun = performance.now();
    const batch = await collector.scrape(Date.now());
    points = batch.points;
    bytes = batch.finish().length;
    await sleep(Math.max(0, 1000 - (performance.now() - begun)));
  }
  const used = process.cpuUsage(before);
  const ms = (used.user + used.system) / 1000 / SECONDS;
  const { mapped, seen } = collector.counts;
  console.log(`${mapped} of ${seen} processes told of, ${points} points, ${(bytes / 1e6).toFixed(2)} MB a scrape`);
  console.log(`${ms.toFixed(1)} ms of processor time a scrape: ${(ms / 10).toFixed(2)} % of a core at one a second`);
  collector.close();
} finally {
  for (const child of children) child.kill("SIGKILL");
}
