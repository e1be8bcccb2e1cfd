import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Report } from "../src/model/report.ts";
import { openBrowser, watchedPage } from "../src/testing/browser.ts";
import { ROOT } from "./longpole.ts";
import { replay } from "./replay.ts";
import { START_TIMEOUT_MS, startUp } from "./running-up.ts";

let folder = "";
/** Processes that a failed test leaves: a stopped engine does not see that its server is gone. */
const left: number[] = [];
let browser: Browser;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpole-slow-start-"));
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
  for (const pid of left) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}, START_TIMEOUT_MS);

/** The child that is the store's engine, once it runs its own program: before, it is still a copy of its parent. */
function engineOf(pid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
    return children.find((child) => readFileSync(`/proc/${child}/cmdline`, "utf8").includes("engine-child"));
  } catch (error) {
    // One of them has ended since it was listed; who waits hears of it.
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

interface Opening {
  readonly api: string;
  readonly http: string;
}

interface Stopped {
  readonly told: Opening;
  readonly engine: number;
  /** rejects where it ends before */
  readonly isUp: Promise<void>;
}

/** Starts it with an engine that is stopped before it is open; resolves when it says that the store is still being opened. */
async function startWithStoppedEngine(data: string): Promise<Stopped> {
  for (let tries = 0; tries < 3; tries++) {
    const stopped = await startAndStop(data);
    if (stopped !== undefined) return stopped;
  }
  throw new Error("three times the store was open before its engine could be stopped");
}

/** Undefined where the store was open before: this process was held up, and the server has been ended again. */
async function startAndStop(data: string): Promise<Stopped | undefined> {
  const main = join(ROOT, "dist", "cli", "main.js");
  const free = ["--port", "0", "--grpc-port", "0", "--http-port", "0"];
  const child = spawn(process.execPath, [main, "up", "--json", "--data", data, ...free], { cwd: ROOT });
  left.push(child.pid!);
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  let state: "opening" | "up" | "ended" = "opening";
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const isUp = new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => {
      state = "up";
      resolve();
    });
    child.once("close", (code) => {
      state = "ended";
      reject(new Error(`longpole up ended with ${code}: ${stderr}`));
    });
  });
  // Told to who awaits it.
  isUp.catch(() => undefined);
  let engine: number | undefined;
  while (state === "opening" && (engine = engineOf(child.pid!)) === undefined) await sleep(2);
  if (engine !== undefined) {
    process.kill(engine, "SIGSTOP");
    left.push(engine);
  }
  let line: string | undefined;
  while (state === "opening" && line === undefined) {
    await sleep(20);
    line = /^.*still being opened.*(?=\n)/m.exec(stderr)?.[0];
  }
  const told = line === undefined ? undefined : (JSON.parse(line) as Opening);
  // It may have been opened between that line and the stop.
  if (engine !== undefined && told !== undefined && (await fetch(`${told.api}/readyz`)).status === 503)
    return { told, engine, isUp };
  if (engine !== undefined) process.kill(engine, "SIGCONT");
  await isUp;
  child.kill("SIGTERM");
  await ended;
  return undefined;
}

test(
  "before its store is open a server receives, gives the report of before, dated, and says that it is not ready",
  { timeout: 3 * START_TIMEOUT_MS },
  async () => {
    const data = join(folder, "data");
    const first = await startUp(data);
    left.push(first.pid);
    await replay("examples/missing-index/fault", first.otlpUrl, BigInt(Date.now()) * 1_000_000n);
    const before = (await (await fetch(`${first.apiUrl}/api/v1/report?last=1h`)).json()) as Report;
    first.kill("SIGTERM");
    await first.ended;

    const { told, engine, isUp } = await startWithStoppedEngine(data);
    const span = {
      traceId: "c".repeat(32),
      spanId: "c".repeat(16),
      name: "GET /early",
      kind: 2,
      startTimeUnixNano: `${BigInt(Date.now()) * 1_000_000n}`,
      endTimeUnixNano: `${BigInt(Date.now()) * 1_000_000n}`,
    };
    const resource = { attributes: [{ key: "service.name", value: { stringValue: "early" } }] };
    const sent = await fetch(`http://${told.http}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] }),
    });
    expect(sent.status).toBe(200);
    expect((await fetch(`${told.api}/readyz`)).status).toBe(503);
    expect(await (await fetch(`${told.api}/api/v1/status`)).json()).toMatchObject({
      ready: false,
      store: { state: "starting" },
      ingest: { traces: { waiting: 1 } },
    });
    const shown = (await (await fetch(`${told.api}/api/v1/report?last=1h`)).json()) as Report;
    expect(shown.live).toMatchObject({ stale: { why: "starting" } });
    expect(shown.findings).toEqual(before.findings);
    // There is no answer of before to this one.
    expect((await fetch(`${told.api}/api/v1/report?last=2h`)).status).toBe(503);
    expect((await fetch(`${told.api}/api/v1/services`)).status).toBe(503);

    const { page } = await watchedPage(browser);
    await page.goto(`${told.api}/?last=2h`);
    await page.getByText("the store is still being opened", { exact: false }).first().waitFor();

    process.kill(engine, "SIGCONT");
    await isUp;
    // Nobody touches the page.
    await page.getByText("an index on", { exact: false }).first().waitFor();
    expect((await fetch(`${told.api}/readyz`)).status).toBe(200);
    let found = 0;
    for (let tries = 0; tries < 100 && found === 0; tries++) {
      await sleep(100);
      const { rows } = (await (await fetch(`${told.api}/api/v1/red?last=15m&service=early`)).json()) as {
        rows: { count: number }[];
      };
      found = rows.reduce((sum, { count }) => sum + count, 0);
    }
    expect(found).toBe(1);
  },
);
