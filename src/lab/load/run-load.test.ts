import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { drawRequests } from "./draw-requests.ts";
import { USUAL_LOAD, type LoadPlan } from "./load-plan.ts";
import { requestWriter } from "./request-text.ts";
import { runLoad, type GeneratorTask, type LoadProgress } from "./run-load.ts";
import { forkSibling } from "../../load/sibling-module.ts";

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  return body;
}

const PLAN: LoadPlan = { ...USUAL_LOAD, perSecond: 200, seconds: 1.2, missing: 0.5 };

test("the drawn requests arrive as drawn; errors are told by kind, wanted misses are none", async () => {
  const received: string[] = [];
  const url = await serve((request, response) => {
    void bodyOf(request).then((body) => {
      received.push(`${request.method} ${request.url} ${body.length}`);
      if (request.url === "/api/points") return response.writeHead(503).end();
      if (request.url?.endsWith("/overview")) return request.socket.destroy();
      if (request.url?.startsWith("/api/records/missing-")) return response.writeHead(404).end("{}");
      return response.writeHead(request.url?.startsWith("/api/records/") ? 200 : 404).end("{}");
    });
  });
  const progress: LoadProgress[] = [];
  const result = await runLoad(url, PLAN, { records: 50, progress: (p) => progress.push(p) });

  const drawn = drawRequests(PLAN);
  const write = requestWriter(drawn, { records: 50, pointsPerBatch: PLAN.pointsPerBatch, seed: PLAN.seed });
  const texts = Array.from({ length: drawn.count }, (_, row) => write(row, 1_800_000_000_000));
  const expected = texts.map(({ method, path, body = "" }) => `${method} ${path} ${body.length}`);
  expect(received.toSorted()).toEqual(expected.toSorted());

  const count = (pattern: RegExp): number => texts.filter(({ path }) => pattern.test(path)).length;
  const [points, zones, overviews] = [count(/points/), count(/zones/), count(/overview/)];
  expect(result.errors).toEqual({ ECONNRESET: overviews, "http 404": zones, "http 503": points });
  expect(result.sent).toBe(drawn.count);
  expect(result.completed).toBe(drawn.count - overviews);
  expect(result.all.completed).toBe(result.completed);
  // None of the overviews had an answer, so there is no latency of theirs.
  expect(Object.keys(result.endpoints)).toEqual(["lookup", "list", "create", "points"]);
  expect(result.endpoints.points?.completed).toBe(points);
  expect(result.plan).toEqual(PLAN);
  expect(progress[0]).toMatchObject({ seconds: 1.2 });
});

test("a stall of the server shows on every request that was due during it, not only on those in flight", async () => {
  const plan: LoadPlan = { ...PLAN, perSecond: 200, seconds: 1, mix: { lookup: 1 } };
  let stalled: { fromUnixMs: number; toUnixMs: number } | undefined;
  const url = await serve((_, response) => {
    response.end("{}");
    if (stalled !== undefined) return;
    const fromUnixMs = Date.now();
    // The whole process stands still, and neither accepts nor answers.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    stalled = { fromUnixMs, toUnixMs: Date.now() };
  });
  const { startedAtUnixMs, all, completed } = await runLoad(url, plan);

  const { dueMs, count } = drawRequests(plan);
  const { fromUnixMs, toUnixMs } = stalled!;
  // What is due while nothing is answered waits for the end of the stall, at least. 2 ms for two rounded clocks.
  const waits = dueMs.map((due) => {
    const dueUnixMs = startedAtUnixMs + due - dueMs[0]!;
    return dueUnixMs >= fromUnixMs && dueUnixMs < toUnixMs ? Math.max(0, toUnixMs - dueUnixMs - 2) : 0;
  });
  waits.sort();
  expect(completed).toBe(count);
  // 200/s x 0.3 s = 60 of 200 requests are due during the stall. A loop that waits for answers would have sent one.
  const expected = 0.2 * (toUnixMs - fromUnixMs);
  expect(Math.abs(waits.filter((wait) => wait > 0).length - expected)).toBeLessThan(4 * Math.sqrt(expected));
  // The slowest 5 % are 10 requests, those of the first 50 ms of it; with chance, of the first 120.
  const atLeast = (share: number): number => waits[Math.ceil(share * count) - 1]!;
  expect(atLeast(0.95)).toBeGreaterThan(180);
  expect(all.p95Ms).toBeGreaterThanOrEqual(atLeast(0.95));
  expect(all.p99Ms).toBeGreaterThanOrEqual(atLeast(0.99));
  expect(all.maxMs).toBeGreaterThanOrEqual(atLeast(1));
  expect(all.meanMs).toBeGreaterThanOrEqual(waits.reduce((sum, wait) => sum + wait, 0) / count);
});

test("a signal ends the generator at once, before or in the middle", async () => {
  const abort = new AbortController();
  let requests = 0;
  const url = await serve((_, response) => {
    response.end("{}");
    if (++requests === 3) abort.abort();
  });
  const plan: LoadPlan = { ...PLAN, seconds: 600, mix: { lookup: 1 } };
  await expect(runLoad(url, plan, { signal: abort.signal })).rejects.toMatchObject({ name: "AbortError" });
  await expect(runLoad(url, plan, { signal: abort.signal })).rejects.toMatchObject({ name: "AbortError" });
});

test("a generator that dies is told, with its last words", async () => {
  // Passes here, and is not what arrives there.
  const plan = { ...PLAN, toJSON: () => ({ ...PLAN, mix: null }) };
  const attempt = runLoad("http://127.0.0.1:9", plan);
  await expect(attempt).rejects.toMatchObject({ name: "LabError", code: "load-generator" });
  await expect(attempt).rejects.toThrow(/^the load generator ended early \(exit code 1\): [^]*TypeError/);
});

test("the generator ends when who started it is gone", async () => {
  let isAsked = (): void => {};
  const asked = new Promise<void>((resolve) => (isAsked = resolve));
  const url = await serve((_, response) => {
    response.end("{}");
    isAsked();
  });
  const child = forkSibling(import.meta.url, "generator", { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const exited = once(child, "exit");
  child.send({ baseUrl: url, plan: { ...PLAN, seconds: 600, mix: { lookup: 1 } }, records: 1 } satisfies GeneratorTask);
  await asked;
  child.disconnect();
  expect(await exited).toEqual([0, null]);
});

test.each([
  "http://192.0.2.1:80",
  "http://example.com",
  "http://127.0.0.1.example.com",
  "https://127.0.0.1",
  "ftp://localhost",
  "127.0.0.1:80",
  "",
])("%j is not a target", async (url) => {
  await expect(runLoad(url, PLAN)).rejects.toMatchObject({ name: "LabError", code: "load-target" });
});

test("a plan that cannot be is refused before anything starts", async () => {
  const attempt = runLoad("http://127.0.0.1:9", { ...PLAN, seconds: 601 });
  await expect(attempt).rejects.toMatchObject({ name: "LabError", code: "load-plan" });
});
