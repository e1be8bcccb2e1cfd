/**
 * The sender of `bench/ingest.ts`, a process of its own so that its work is not counted as the receiver's.
 *
 *   tsx bench/ingest-load.ts PORT REQUESTS PER_SECOND
 *
 * Sends requests of 500 spans with gzip, with PER_SECOND 0 as fast as eight connections go, else at that rate whatever the
 * answers (open loop). Prints one JSON line: acknowledged and refused requests, seconds, its own processor time, and
 * milliseconds from when a request was due to its acknowledgement.
 */
import { Agent, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { encodeRequest, sampleRequests } from "../src/testing/otlp-sample.ts";

const CONNECTIONS = 8;
const PER_REQUEST = 5;
const DISTINCT = 40;

const [port, requests, perSecond] = process.argv.slice(2).map(Number) as [number, number, number];
const agent = new Agent({ keepAlive: true, maxSockets: perSecond > 0 ? 256 : CONNECTIONS });

/** Requests of 100 spans one behind the other are one of 500: repeated fields add up. */
const parts = sampleRequests(DISTINCT * PER_REQUEST, 7).map(encodeRequest);
const bodies = Array.from({ length: DISTINCT }, (_, i) =>
  gzipSync(Buffer.concat(parts.slice(PER_REQUEST * i, PER_REQUEST * (i + 1)))),
);

const headers = { "content-type": "application/x-protobuf", "content-encoding": "gzip" };
const latenciesMs: number[] = [];
let refused = 0;

function send(number: number, dueMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/v1/traces", method: "POST", agent, headers };
    const sent = httpRequest(options, (response) => {
      response.resume().on("end", () => {
        if (response.statusCode === 200) latenciesMs.push(performance.now() - dueMs);
        else refused++;
        resolve();
      });
    });
    sent.on("error", reject).end(bodies[number % DISTINCT]);
  });
}

async function closedLoop(): Promise<void> {
  let next = 0;
  const connection = async (): Promise<void> => {
    while (next < requests) await send(next++, performance.now());
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
}

async function openLoop(): Promise<void> {
  const startMs = performance.now();
  const all: Promise<void>[] = [];
  for (let i = 0; i < requests; i++) {
    const dueMs = startMs + (1000 * i) / perSecond;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    all.push(send(i, dueMs));
  }
  await Promise.all(all);
}

const before = process.cpuUsage();
const startMs = performance.now();
await (perSecond > 0 ? openLoop() : closedLoop());
const seconds = (performance.now() - startMs) / 1000;
const cpu = process.cpuUsage(before);
agent.destroy();
latenciesMs.sort((a, b) => a - b);
const at = (share: number): number =>
  latenciesMs[Math.min(latenciesMs.length - 1, Math.floor(share * latenciesMs.length))] ?? 0;
const sentBytes = bodies.reduce((sum, body) => sum + body.length, 0) / DISTINCT;
const figures = {
  acknowledged: latenciesMs.length,
  refused,
  seconds,
  p50Ms: at(0.5),
  p90Ms: at(0.9),
  p99Ms: at(0.99),
  maxMs: at(1),
  cpuSeconds: (cpu.user + cpu.system) / 1e6,
  bytesPerRequest: sentBytes,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
