/**
 * The home screen of a running server on a large store: from opening its address to findings that can be read, first
 * without a kept answer, then with one, then after a restart; how long the restart took until a span was acknowledged, and
 * until all was there.
 *
 *   npm run bench:home -- FOLDER [loads = 5]
 *
 * FOLDER holds the store (`npm run bench:store-scale -- 20000 1000 FOLDER/store` fills one); spans of now are sent to it first, since
 * the home screen shows the last 15 minutes. Takes the built command.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, Request } from "playwright-core";
import { writeOtlpTraces } from "../src/formats/write-otlp-traces.ts";
import { openBrowser } from "../src/testing/browser.ts";
import { readTable } from "./read-table.ts";
import { replayed } from "./store/replayed-spans.ts";

const [folder, loads = "5"] = process.argv.slice(2);
if (folder === undefined) throw new Error("name the folder: npm run bench:home -- FOLDER");
const MAIN = join(import.meta.dirname, "../dist/cli/main.js");
const PORTS = { api: 17077, http: 14318, grpc: 14317 };
const API = `http://127.0.0.1:${PORTS.api}`;
const COPIES = 40;

const browser = await openBrowser();
let server = start();
try {
  console.log(`first start: ${await told(server)}`);
  await send();
  console.log(`first page, nothing kept: ${(await load(browser)).toFixed(0)} ms`);
  await several("kept answer");
  await stop(server);
  server = start();
  console.log(`after a restart: ${await told(server)}`);
  await several("kept on disk");
} finally {
  await browser.close();
  await stop(server);
}

interface Started {
  readonly child: ChildProcess;
  readonly beganMs: number;
  readonly isUp: Promise<number>;
}

function start(): Started {
  const beganMs = performance.now();
  const ports = ["--port", `${PORTS.api}`, "--http-port", `${PORTS.http}`, "--grpc-port", `${PORTS.grpc}`];
  const child = spawn(process.execPath, [MAIN, "up", "--json", "--data", resolve(folder!), ...ports], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const isUp = new Promise<number>((found, failed) => {
    child.stdout!.once("data", () => found(performance.now() - beganMs));
    child.once("exit", (code) => failed(new Error(`up ended with ${code}`)));
  });
  return { child, beganMs, isUp };
}

async function told({ beganMs, isUp }: Started): Promise<string> {
  let acknowledgedMs: number | undefined;
  const url = `http://127.0.0.1:${PORTS.http}/v1/traces`;
  const headers = { "content-type": "application/json" };
  while (acknowledgedMs === undefined) {
    const answer = await fetch(url, { method: "POST", headers, body: '{"resourceSpans":[]}' }).catch(() => undefined);
    if (answer?.status === 200) acknowledgedMs = performance.now() - beganMs;
    else await sleep(20);
  }
  return `receives after ${(acknowledgedMs / 1000).toFixed(1)} s, all there after ${((await isUp) / 1000).toFixed(1)} s`;
}

async function stop({ child }: Started): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once("exit", done));
  child.kill("SIGTERM");
  await ended;
}

/** Recordings, again and again, over the last minutes. */
async function send(): Promise<void> {
  const table = await readTable(["examples/missing-index/fault"]);
  const now = BigInt(Date.now()) * 1_000_000n;
  for (let copy = 0; copy < COPIES; copy++) {
    const spans = replayed(table, Date.now() + copy, now - BigInt(10 + copy * 15) * 1_000_000_000n);
    for (const body of writeOtlpTraces(spans)) {
      const headers = { "content-type": "application/x-protobuf" };
      const answer = await fetch(`http://127.0.0.1:${PORTS.http}/v1/traces`, { method: "POST", headers, body });
      if (!answer.ok) throw new Error(`not taken: ${answer.status} ${await answer.text()}`);
    }
  }
}

async function several(what: string): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < Number(loads); i++) times.push(await load(browser));
  times.sort((a, b) => a - b);
  console.log(
    `${what}: ${times.map((ms) => ms.toFixed(0)).join(", ")} ms; median ${times[times.length >> 1]!.toFixed(0)} ms`,
  );
}

/** Milliseconds from the address to a finding on the screen. */
async function load(within: Browser): Promise<number> {
  const page = await within.newPage({ viewport: { width: 1440, height: 900 } });
  try {
    page.setDefaultTimeout(120_000);
    // The page closes the stream when it has the whole answer, which a browser may call a failure.
    const isPages = (request: Request): boolean => request.url().includes("/api/v1/page/events");
    const whole = Promise.any([
      page.waitForEvent("requestfinished", isPages),
      page.waitForEvent("requestfailed", isPages),
    ]);
    const began = performance.now();
    await page.goto(`${API}/`);
    await page.getByText("an index on", { exact: false }).first().waitFor();
    const ms = performance.now() - began;
    // The newer answer, which the next load finds.
    await whole;
    return ms;
  } finally {
    await page.close();
  }
}
