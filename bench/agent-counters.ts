// What counting costs: the machine, 200 processes of services and their control groups, once a second, without sending.
// The figure is processor time of this process, as a share of one core. Goal: 1.4 %.
// Two collectors take turns: one reads all of each process each time, as it has to where all of them work; the other leaves
// out what cannot have changed of those that sleep, which here all of them do.
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { CounterCollector } from "../src/agent/counters/counter-collector.ts";
import { DirectPeek } from "../src/agent/counters/process-peek.ts";

const PROCESSES = 200;
const SECONDS = 20;

const children = Array.from({ length: PROCESSES }, (_, i) =>
  spawn("sleep", ["300"], { stdio: "ignore", env: { OTEL_SERVICE_NAME: `bench-${i % 20}` } }),
);
const host = { attributes: { "host.name": "bench" }, version: "0" };
const kinds = [
  { name: "all read each time", collector: new CounterCollector(host, new DirectPeek(), 0), us: 0 },
  { name: "as the agent does", collector: new CounterCollector(host, new DirectPeek()), us: 0 },
];
try {
  await sleep(500);
  // Identities are found out in the first looks, and the code is compiled.
  for (let i = 0; i < 12; i++)
    for (const { collector } of kinds) (await collector.scrape(Date.now() + i * 1000)).finish();
  for (let i = 0; i < SECONDS; i++) {
    const begun = performance.now();
    for (const kind of kinds) {
      const before = process.cpuUsage();
      (await kind.collector.scrape(Date.now() + 12_000)).finish();
      const { user, system } = process.cpuUsage(before);
      kind.us += user + system;
    }
    await sleep(Math.max(0, 1000 - (performance.now() - begun)));
  }
  for (const { name, collector, us } of kinds) {
    const batch = await collector.scrape(Date.now() + 13_000);
    const { mapped, seen } = collector.counts;
    const ms = us / 1000 / SECONDS;
    console.log(
      `${name}: ${mapped} of ${seen} processes told of, ${batch.points} points, ${(batch.finish().length / 1e6).toFixed(2)} MB; ` +
        `${ms.toFixed(2)} ms of processor time a scrape, ${(ms / 10).toFixed(2)} % of a core at one a second`,
    );
  }
} finally {
  for (const { collector } of kinds) collector.close();
  for (const child of children) child.kill("SIGKILL");
}
