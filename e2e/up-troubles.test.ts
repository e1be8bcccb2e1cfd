import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "./longpole.ts";
import { START_TIMEOUT_MS, startUp, type RunningUp } from "./running-up.ts";

let folder = "";
let up: RunningUp;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpole-troubles-"));
  up = await startUp(join(folder, "data"));
}, START_TIMEOUT_MS);
afterAll(async () => {
  up.kill("SIGKILL");
  await up.ended;
  rmSync(folder, { recursive: true, force: true });
});

/** Ids of the processes that a process started. */
const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);

async function sendSpan(id: number, atMs = Date.now()): Promise<number> {
  const hex = (digits: number): string => id.toString(16).padStart(digits, "0");
  const startTimeUnixNano = `${BigInt(atMs) * 1_000_000n}`;
  const span = {
    traceId: hex(32),
    spanId: hex(16),
    name: "GET /x",
    kind: 2,
    startTimeUnixNano,
    endTimeUnixNano: startTimeUnixNano,
  };
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "troubled" } }] };
  const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] });
  const headers = { "content-type": "application/json" };
  return (await fetch(`${up.otlpUrl}/v1/traces`, { method: "POST", headers, body })).status;
}

async function spansOf(service: string): Promise<number> {
  const answer = await fetch(`${up.apiUrl}/api/v1/red?last=15m&service=${service}`);
  if (answer.status !== 200) return -1;
  const { rows } = (await answer.json()) as { rows: { count: number }[] };
  return rows.reduce((sum, { count }) => sum + count, 0);
}

test("an engine that is killed is back by itself; spans that came meanwhile are acknowledged, and none is lost or doubled", async () => {
  const [engine] = childrenOf(up.pid);
  expect(await sendSpan(1)).toBe(200);
  process.kill(engine!, "SIGKILL");
  for (let id = 2; id <= 20; id++) expect(await sendSpan(id)).toBe(200);
  let found = -1;
  for (let tries = 0; tries < 120 && found !== 20; tries++) {
    await sleep(500);
    found = await spansOf("troubled");
  }
  expect(found).toBe(20);
  expect(childrenOf(up.pid)).not.toContain(engine);
  expect((await fetch(`${up.apiUrl}/readyz`)).status).toBe(200);
});

/** A request whose path is sent as it stands: fetch would tidy it up. */
function raw(method: string, path: string): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(up.apiUrl);
  return new Promise((resolve, reject) => {
    const sent = request({ method, path, hostname, port }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text: string) => (body += text));
      answer.on("end", () => resolve({ status: answer.statusCode!, body }));
    });
    sent.on("error", reject).end();
  });
}

test.each([
  ["GET", "/../package.json"],
  ["GET", "/ui.js/../../../package.json"],
  ["GET", "/%2e%2e/package.json"],
  ["GET", "/api/v1/../../package.json"],
  ["GET", "//etc/passwd"],
  ["GET", "/api/v1/report/%00"],
  ["PUT", "/api/v1/status"],
  ["DELETE", "/api/v1/findings"],
  ["POST", "/api/v1/report"],
  ["OPTIONS", "/api/v1/report"],
])("%s %s finds nothing", async (method, path) => {
  const { status, body } = await raw(method, path);
  expect([400, 404]).toContain(status);
  expect(body).not.toContain("devDependencies");
  expect(body).not.toContain("root:");
});

test("queries that are too long, or hold what SQL would act on, are answered as what they are", async () => {
  expect((await raw("GET", `/api/v1/services?last=${"1".repeat(20_000)}m`)).status).toBeGreaterThanOrEqual(400);
  for (const service of ["' OR 1=1 --", "\\'; DROP TABLE spans; --", "{service:String}", "\u0000"]) {
    const answer = await fetch(`${up.apiUrl}/api/v1/red?service=${encodeURIComponent(service)}`);
    expect([200, 400]).toContain(answer.status);
    if (answer.status === 200) expect(await answer.json()).toEqual({ rows: [] });
  }
  expect(await spansOf("troubled")).toBe(20);
});

test("a connection that sends its headers drop by drop is closed, and others are served meanwhile", async () => {
  const { hostname, port } = new URL(up.apiUrl);
  const slow = connect(Number(port), hostname);
  slow.on("error", () => {});
  slow.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  const drops = setInterval(() => slow.write("X: y\r\n"), 1000);
  const closed = new Promise((resolve) => slow.once("close", resolve));
  expect((await fetch(`${up.apiUrl}/healthz`)).status).toBe(200);
  await closed;
  clearInterval(drops);
});

test("commands that read files load nothing of the server, of its packages and of the engine", () => {
  const hook = `
import { register } from "node:module";
register("data:text/javascript," + encodeURIComponent(\`
  export async function load(url, context, next) {
    if (/fastify|@clickhouse|grpc-js|ffi-rs|chdb|dist\\\\/(?:server|store|ingest)\\\\//.test(url)) process._rawDebug("LOADED " + url);
    return next(url, context);
  }\`));`;
  const args = ["--import", `data:text/javascript,${encodeURIComponent(hook)}`, join(ROOT, "dist", "cli", "main.js")];
  const run = (...more: string[]): string =>
    spawnSync(process.execPath, [...args, ...more], { cwd: ROOT, encoding: "utf8" }).stderr;
  expect(run("analyze", "examples/healthy/calm", "--json", "-q")).toBe("");
  expect(run("diagnose", "--url", "http://127.0.0.1:9", "-q")).not.toContain("LOADED");
  // That the hook sees what it is to see.
  expect(run("up", "--host", "0.0.0.0")).toMatch(/LOADED .*dist\/server/);
});

test("a span older than the retention counts as rejected, not as stored", async () => {
  const traces = async (): Promise<{ stored: number; rejected: Record<string, number> }> => {
    const answer = await fetch(`${up.apiUrl}/api/v1/status`);
    return ((await answer.json()) as { ingest: { traces: { stored: number; rejected: Record<string, number> } } })
      .ingest.traces;
  };
  const before = await traces();
  // Kept are 7 days without a setting.
  expect(await sendSpan(900, Date.now() - 8 * 86_400_000)).toBe(200);
  const rejected = async (): Promise<number> => (await traces()).rejected["older-than-retention"] ?? 0;
  // It counts when the log has it, and the answer does not wait for that.
  await expect.poll(rejected, { timeout: 10_000 }).toBe((before.rejected["older-than-retention"] ?? 0) + 1);
  expect((await traces()).stored).toBe(before.stored);
});
