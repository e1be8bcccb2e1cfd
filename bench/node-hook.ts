/**
 * What `--import longpole/node` costs a web server: Express with OpenTelemetry's SDK and instrumentations, whose requests await
 * a few times and compute little, so that the hook's work per callback weighs most. The same server without the hook, with
 * it, with links by `context.with` alone, with no links, and with each of its parts alone; processor time per request of batches
 * in turns, compared round by round. Requests come one after another over 8 connections from this process.
 *
 *     npx tsx bench/node-hook.ts [rounds=9] [requests=1500] [dist/node/hook.js of another version]
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const HOOK = join(ROOT, "dist/node/hook.js");
const CONNECTIONS = 8;

const SERVER = `
const { createRequire } = require("node:module");
const from = createRequire(${JSON.stringify(join(ROOT, "package.json"))});
const { NodeSDK } = from("@opentelemetry/sdk-node");
const { ExpressInstrumentation } = from("@opentelemetry/instrumentation-express");
const { HttpInstrumentation } = from("@opentelemetry/instrumentation-http");
new NodeSDK({ serviceName: "bench", instrumentations: [new HttpInstrumentation(), new ExpressInstrumentation()] }).start();
const express = from("express");
const app = express();
const step = (x) => new Promise((resolve) => setImmediate(() => resolve(x + 1)));
app.get("/work", async (_, response) => {
  let x = 0;
  for (let i = 0; i < 10; i++) x = await step(x);
  response.json({ x, list: Array.from({ length: 50 }, (_, i) => ({ i, text: "item " + i })) });
});
app.get("/cpu", (_, response) => response.json(process.cpuUsage()));
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

const [ROUNDS = "9", REQUESTS = "1500", OTHER = ""] = process.argv.slice(2);

const OFF = { LONGPOLE_SPAN_LINKS: "off", LONGPOLE_METRICS: "off", LONGPOLE_ALLOCATIONS: "off" };
const NO_PROFILES = { LONGPOLE_PROFILES: "off", LONGPOLE_PROFILE_FILE: "" };

interface Variant {
  /** the hook's module; undefined for none */
  readonly hook?: string;
  readonly environment: Readonly<Record<string, string>>;
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  "without the hook": { environment: {} },
  hook: { hook: HOOK, environment: {} },
  ...(OTHER === "" ? {} : { [`hook of ${OTHER}`]: { hook: resolve(OTHER), environment: {} } }),
  "hook, links by context.with alone": { hook: HOOK, environment: { LONGPOLE_SPAN_LINKS: "sync" } },
  "hook, no links": { hook: HOOK, environment: { LONGPOLE_SPAN_LINKS: "off" } },
  "processor profile alone": { hook: HOOK, environment: OFF },
  "metrics alone": { hook: HOOK, environment: NO_PROFILES },
  "loaded, nothing on": { hook: HOOK, environment: { ...OFF, ...NO_PROFILES } },
};

interface Running {
  readonly name: string;
  readonly child: ChildProcess;
  readonly port: number;
  readonly agent: Agent;
  /** microseconds of processor time per request, and requests per second, of each round */
  readonly cpu: number[];
  readonly rate: number[];
}

async function start(name: string, file: string): Promise<Running> {
  const { hook, environment } = VARIANTS[name]!;
  const flags = hook === undefined ? [] : ["--import", hook];
  const child = spawn(process.execPath, [...flags, file], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      ...process.env,
      OTEL_TRACES_EXPORTER: "none",
      OTEL_METRICS_EXPORTER: "none",
      OTEL_LOGS_EXPORTER: "none",
      OTEL_TRACES_SAMPLER: "always_on",
      LONGPOLE_PROFILE_FILE: "/dev/null",
      ...environment,
    },
  });
  const port = await new Promise<number>((resolve) =>
    child.stdout!.once("data", (chunk: Buffer) => resolve(Number(chunk.toString()))),
  );
  return { name, child, port, agent: new Agent({ keepAlive: true, maxSockets: CONNECTIONS }), cpu: [], rate: [] };
}

function get({ port, agent }: Running, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sending = request({ host: "127.0.0.1", port, path, agent }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve(text));
    });
    sending.on("error", reject);
    sending.end();
  });
}

async function cpuUs(running: Running): Promise<number> {
  const { user, system } = JSON.parse(await get(running, "/cpu")) as { user: number; system: number };
  return user + system;
}

async function batch(running: Running, requests: number): Promise<void> {
  const [before, began] = [await cpuUs(running), performance.now()];
  let left = requests;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (left-- > 0) await get(running, "/work");
    }),
  );
  running.rate.push(requests / ((performance.now() - began) / 1000));
  running.cpu.push(((await cpuUs(running)) - before) / requests);
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

const [rounds, requests] = [Number(ROUNDS), Number(REQUESTS)];
const folder = mkdtempSync(join(tmpdir(), "longpole-bench-"));
const file = join(folder, "server.cjs");
writeFileSync(file, SERVER);
const all: Running[] = [];
try {
  for (const name of Object.keys(VARIANTS)) all.push(await start(name, file));
  for (const one of all) await batch(one, requests);
  for (const one of all) one.cpu.length = one.rate.length = 0;
  for (let round = 0; round < rounds; round++) {
    // In another order each time: what runs beside hits all alike.
    const order = all.map((_, i) => all[(i + round) % all.length]!);
    for (const one of round % 2 === 0 ? order : order.reverse()) await batch(one, requests);
  }
  const [base, ...others] = all;
  console.log(`${rounds} rounds of ${requests} requests, Node ${process.version}`);
  console.log(`without the hook: ${median(base!.cpu).toFixed(0)} µs of processor time a request`);
  for (const { name, cpu, rate } of others) {
    const ratios = cpu.map((us, i) => us / base!.cpu[i]!);
    const rates = rate.map((one, i) => one / base!.rate[i]!);
    const sorted = [...ratios].sort((a, b) => a - b);
    const spread = `${sorted[1]!.toFixed(3)} to ${sorted.at(-2)!.toFixed(3)}`;
    console.log(
      `${name}: processor time x ${median(ratios).toFixed(3)} (${spread}), requests/s x ${median(rates).toFixed(3)}`,
    );
  }
} finally {
  for (const { child, agent } of all) {
    agent.destroy();
    child.kill();
  }
  rmSync(folder, { recursive: true });
}
