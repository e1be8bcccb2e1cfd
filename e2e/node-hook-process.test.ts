import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Received, runHooked, runNode } from "./hooked.ts";
import { ROOT } from "./longpole.ts";

/* A program ends with the hook as it does without: the same code, the same signal, the same output. */

const received = new Received();
let folder = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpole-process-"));
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

const LOADER = `export async function load(url, context, next) {
  if (!url.endsWith("made-up.mjs")) return next(url, context);
  return { format: "module", source: "export const text = 'made up';", shortCircuit: true };
}
export async function resolve(name, context, next) {
  return name === "made-up" ? { url: new URL("made-up.mjs", import.meta.url).href, shortCircuit: true } : next(name, context);
}`;

/** By name: the program's text, and how it ends without the hook. */
const PROGRAMS: Readonly<Record<string, readonly [text: string, code: number | null, signal?: string]>> = {
  "nothing left.mjs": ["console.log('done');", 0],
  "exit code.mjs": ["process.exitCode = 3; console.log('x');", 3],
  "exit.mjs": ["setTimeout(() => process.exit(4), 20); setInterval(() => {}, 1000);", 4],
  "thrown.cjs": ["setTimeout(() => { throw new Error('thrown'); }, 20);", 1],
  "rejected.mjs": ["Promise.reject(new Error('rejected')); setTimeout(() => {}, 50);", 1],
  "unsettled.mjs": ["await new Promise(() => {});", 13],
  "timers without a hold.mjs": ["setInterval(() => {}, 100).unref(); console.log('x');", 0],
  "SIGTERM.cjs": ["setInterval(() => {}, 1000); process.kill(process.pid, 'SIGTERM');", null, "SIGTERM"],
  "SIGINT.cjs": ["setInterval(() => {}, 1000); process.kill(process.pid, 'SIGINT');", null, "SIGINT"],
  "SIGTERM handled.cjs": [
    "const timer = setInterval(() => {}, 1000); let n = 0; process.on('SIGTERM', () => { console.log('asked to end', ++n); clearInterval(timer); process.exitCode = 5; }); process.kill(process.pid, 'SIGTERM');",
    5,
  ],
  "server.cjs": [
    "const server = require('node:http').createServer((_, r) => r.end('x')).listen(0, async () => { const { port } = server.address(); console.log(await (await fetch('http://127.0.0.1:' + port)).text()); server.close(); server.closeAllConnections(); });",
    0,
  ],
  "loader.mjs": [
    "import { register } from 'node:module'; register(new URL('loader-hooks.mjs', import.meta.url)); console.log((await import('made-up')).text);",
    0,
  ],
  "forked.cjs": [
    "if (process.send) process.exit(7); require('node:child_process').fork(__filename).on('exit', (code) => console.log('child', code));",
    0,
  ],
  "worker.cjs": [
    "const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads'); if (!isMainThread) { parentPort.postMessage(workerData + 1); process.exit(6); } else new Worker(__filename, { workerData: 1 }).on('message', console.log).on('exit', (code) => console.log('exit', code));",
    0,
  ],
  "worker thrown.cjs": [
    "const { Worker, isMainThread } = require('node:worker_threads'); if (!isMainThread) throw new Error('within'); new Worker(__filename).on('error', ({ message }) => console.log(message)).on('exit', (code) => console.log('exit', code));",
    0,
  ],
  "worker without a hold.cjs": [
    "const { Worker, isMainThread } = require('node:worker_threads'); if (!isMainThread) setInterval(() => {}, 1000); else { new Worker(__filename).unref(); setTimeout(() => console.log('x'), 100); }",
    0,
  ],
  "nested workers.cjs": [
    "const { Worker, threadId } = require('node:worker_threads'); if (threadId < 3) new Worker(__filename).on('exit', (code) => console.log(threadId, code));",
    0,
  ],
};

test.each(Object.entries(PROGRAMS))("%s", async (name, [text, code, signal = null]) => {
  write("loader-hooks.mjs", LOADER);
  const app = write(name, text);
  const [plain, hooked] = await Promise.all([runNode(app, [], {}), runHooked(app, received)]);
  expect([plain.code, plain.signal]).toEqual([code, signal]);
  expect({ ...hooked, pid: 0 }).toEqual({ ...plain, pid: 0 });
});

test("beside all of OpenTelemetry's instrumentations, which workers load as well", async () => {
  const register = join(ROOT, "node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js");
  const app = write(
    "auto.cjs",
    `
const { Worker, isMainThread } = require("node:worker_threads");
function spin(ms) { const end = performance.now() + ms; while (performance.now() < end); }
if (!isMainThread) spin(300);
else {
  const server = require("node:http").createServer((request, response) => { spin(20); response.end("x"); });
  server.listen(0, async () => {
    for (let i = 0; i < 40; i++) await new Promise((resolve) => require("node:http").get({ port: server.address().port, agent: false }, (r) => r.resume().on("end", resolve)));
    new Worker(__filename).on("exit", (code) => { console.log("worker", code); server.close(); });
  });
}
`,
  );
  const end = await runHooked(app, received, ["--require", register], {
    OTEL_METRICS_EXPORTER: "none",
    OTEL_LOGS_EXPORTER: "none",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    // The machine's id is asked for in the background: nobody may look at what is not known yet.
    OTEL_NODE_RESOURCE_DETECTORS: "host,process",
    OTEL_LOG_LEVEL: "error",
  });
  expect([end.code, end.stderr, end.stdout]).toEqual([0, "", "worker 0\n"]);
  const linked = received.profiles().reduce((sum, { labels }) => sum + labels.listCount - 1, 0);
  expect(linked).toBeGreaterThan(5);
}, 60_000);
