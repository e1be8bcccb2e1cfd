import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { longpole, ROOT, type Ended } from "./longpole.ts";

interface Ramp {
  readonly schema: string;
  readonly stop: { readonly reason: string; readonly detail: string };
  readonly knee: {
    readonly lowPerSecond: number | null;
    readonly highPerSecond: number | null;
    readonly reason: string;
  };
  readonly ceiling: {
    readonly perSecond: number;
    readonly lowPerSecond: number;
    readonly highPerSecond: number;
  } | null;
  readonly limiter: { readonly status: string };
  readonly generator: { readonly ok: boolean };
  readonly steps: readonly {
    readonly perSecond: number;
    readonly requests: number;
    readonly verdict: string;
    readonly errors: Readonly<Record<string, number>>;
    readonly p50Ms: number;
  }[];
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers after `ms`, at most `most` at the same time, the others in turn: most / ms requests per ms. */
function limited(most: number, ms: number): RequestListener {
  let busy = 0;
  const waiting: (() => void)[] = [];
  const begin = (answer: () => void): void => {
    busy++;
    setTimeout(() => {
      busy--;
      answer();
      const next = waiting.shift();
      if (next !== undefined) begin(next);
    }, ms);
  };
  return (_, response) => {
    const answer = (): void => void response.end("{}");
    if (busy < most) begin(answer);
    else waiting.push(() => answer());
  };
}

/** The built command line, beside a server of this process. `interruptAt`: Ctrl-C at the first line that holds this. */
function ramp(args: readonly string[], interruptAt?: string): Promise<Ended & { readonly ramp: Ramp }> {
  const child = spawn(process.execPath, [join(ROOT, "dist", "cli", "main.js"), "ramp", ...args, "--json"], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8" },
  });
  let [stdout, stderr, interrupted] = ["", "", false];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
    if (interruptAt === undefined || interrupted || !stderr.includes(interruptAt)) return;
    interrupted = true;
    child.kill("SIGINT");
  });
  return new Promise((resolve) => {
    child.on("close", (code) => {
      resolve({ code, stdout, stderr, ramp: stdout === "" ? ({} as Ramp) : (JSON.parse(stdout) as Ramp) });
    });
  });
}

/** Slow beside the delays that a busy machine puts on the generator, which would make it doubt itself. */
const calmly: RequestListener = (_, response) => void setTimeout(() => response.end(), 100);

/** What is measured is true of the machine as well: where others keep it busy, a queue that grew may be theirs. */
const MEASURED = { retry: 2 };

const QUICK = ["--step-seconds", "1", "--warmup", "0"];

describe("a server of known capacity", () => {
  test(
    "eight at a time for 100 ms each: a ceiling near 80 per second, by what it answers while its queue grows",
    MEASURED,
    async () => {
      const url = await serve(limited(8, 100));
      const { code, ramp: found } = await ramp([`${url}/x`, ...QUICK, "--start", "30", "--budget", "7"]);
      expect(code).toBe(0);
      expect(found).toMatchObject({
        schema: "longpole.ramp/1",
        knee: { reason: "queue-grows" },
        generator: { ok: true },
      });
      // Timers are late by a millisecond or two, more on a busy machine, and never early: 8 / 100 ms is the most.
      expect(found.ceiling!.perSecond).toBeGreaterThan(60);
      expect(found.ceiling!.perSecond).toBeLessThan(84);
      expect(found.knee.lowPerSecond!).toBeLessThan(90);
      expect(found.knee.highPerSecond!).toBeGreaterThan(60);
      expect(found.limiter.status).toBe("no-telemetry");
    },
  );

  test("no limit up to the largest rate that is wanted", MEASURED, async () => {
    const url = await serve(calmly);
    const { code, ramp: found } = await ramp([url, ...QUICK, "--start", "10", "--max", "20"]);
    expect(code).toBe(0);
    expect([found.stop.reason, found.knee.lowPerSecond, found.ceiling]).toEqual(["max-rate", 20, null]);
  });
});

test("an objective that even the first rate misses", MEASURED, async () => {
  const url = await serve(calmly);
  const { code, ramp: found } = await ramp([url, ...QUICK, "--start", "20", "--objective", "p50 < 30ms"]);
  expect(code).toBe(3);
  expect(found).toMatchObject({
    stop: { reason: "no-steady-rate" },
    knee: { reason: "objective", lowPerSecond: null },
  });
});

test("a server that sheds load with 503 beyond fifty per second", MEASURED, async () => {
  let [second, taken] = [0, 0];
  const url = await serve((_, response) => {
    const now = Math.floor(performance.now() / 100);
    if (now !== second) [second, taken] = [now, 0];
    const status = ++taken > 5 ? 503 : 200;
    setTimeout(() => response.writeHead(status).end(), 100);
  });
  const { code, ramp: found } = await ramp([url, ...QUICK, "--start", "40", "--budget", "5", "--arrivals", "constant"]);
  expect(code).toBe(0);
  expect(found.knee.reason).toBe("errors");
  expect(found.steps.some(({ errors }) => (errors["http 503"] ?? 0) > 0)).toBe(true);
});

test("a server that dies under load is told as such", MEASURED, async () => {
  const script = `let n = 0; require("node:http").createServer((q, r) => { if (++n > 150) process.exit(); setTimeout(() => r.end(), 100); })
    .listen(0, "127.0.0.1", function () { console.log(this.address().port); });`;
  const server = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
  onTestFinished(() => void server.kill());
  const [port] = (await once(server.stdout, "data")) as [Buffer];
  const { code, ramp: found } = await ramp([`http://127.0.0.1:${port.toString().trim()}`, ...QUICK, "--start", "30"]);
  expect(found.stop.reason).toBe("target-lost");
  expect(found.steps.at(-1)?.errors["ECONNREFUSED"]).toBeGreaterThan(0);
  expect(code).toBe(0);
});

test(
  "connections that are all in use with a server as quick as before are the generator's limit, and no knee",
  MEASURED,
  async () => {
    const url = await serve((_, response) => void setTimeout(() => response.end(), 200));
    const { code, ramp: found } = await ramp([url, ...QUICK, "--start", "20", "--connections", "4"]);
    expect(code).toBe(3);
    expect(found).toMatchObject({
      stop: { reason: "generator" },
      generator: { ok: false },
      knee: { highPerSecond: null },
    });
    expect(found.stop.detail).toContain("connections");
  },
);

/** Wraps a listener so that each request leaves a span, sent as OTLP JSON like an SDK would, in batches. */
function traced(listener: RequestListener, receiver: string): RequestListener {
  let spans: object[] = [];
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "orders" } }] };
  const exporting = setInterval(() => {
    if (spans.length === 0) return;
    const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
    spans = [];
    const headers = { "content-type": "application/json" };
    // Nobody listens before the ramp begins and after it ended.
    void fetch(`${receiver}/v1/traces`, { method: "POST", body, headers }).catch(() => {});
  }, 200);
  onTestFinished(() => clearInterval(exporting));
  const now = (): string => String(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n);
  return (request, response) => {
    const startTimeUnixNano = now();
    response.once("finish", () => {
      const ids = { traceId: randomBytes(16).toString("hex"), spanId: randomBytes(8).toString("hex") };
      spans.push({ ...ids, name: "GET /x", kind: 2, startTimeUnixNano, endTimeUnixNano: now() });
    });
    listener(request, response);
  };
}

test(
  "what the services send meanwhile is kept at the knee and below it, cut to those steps, ready to analyse",
  MEASURED,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "longpole-e2e-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const free = createServer().listen(0, "127.0.0.1");
    await once(free, "listening");
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    const url = await serve(traced(limited(8, 100), `http://127.0.0.1:${port}`));
    const record = join(folder, "kept");
    const args = [`${url}/x`, ...QUICK, "--start", "20", "--max", "40", "--receive", String(port), "--record", record];
    const { code, ramp: found } = await ramp(args);
    expect([code, found.knee.lowPerSecond]).toEqual([0, 40]);
    // Spans alone: no processor's use is known, and it says so.
    expect(found.limiter.status).toBe("insufficient-data");
    expect(JSON.parse(await readFile(join(record, "ramp.json"), "utf8"))).toEqual(found);
    const now = longpole(["analyze", join(record, "knee"), "--baseline", join(record, "below"), "--json"]);
    const report = JSON.parse(now.stdout) as { endpoints: { requests: number; baseline?: { requests: number } }[] };
    expect(report.endpoints).toHaveLength(1);
    const step = found.steps.find(({ perSecond }) => perSecond === 40)!;
    // Requests are due a little before their spans begin: a few at either end belong to the other side.
    expect(Math.abs(report.endpoints[0]!.requests - step.requests)).toBeLessThanOrEqual(5);
    // Another ramp takes its place; anything else there is left alone.
    await writeFile(join(folder, "mine"), "");
    const refused = longpole(["ramp", url, "--receive", "--record", folder]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("no ramp")]);
  },
);

test("Ctrl-C ends it at once with what is known", async () => {
  const url = await serve(calmly);
  const args = [url, "--step-seconds", "1", "--warmup", "0", "--start", "20", "--step", "+1"];
  const { code, ramp: found } = await ramp(args, "21.0/s offered");
  expect(code).toBe(3);
  expect(found.stop.reason).toBe("interrupted");
  expect(found.steps.map(({ perSecond }) => perSecond)).toEqual([20, 21]);
});

describe("nothing is sent, and one line says why", () => {
  test.each<[string[], string]>([
    [["http://127.0.0.1:1/x"], "cannot be reached"],
    [["http://example.com/"], "--allow-remote example.com"],
    [["javascript:alert(1)"], "expected a URL of http or https"],
    [["http://127.0.0.1:1/", "--objective", "fast"], "p99 < 300ms"],
    [["http://127.0.0.1:1/", "--step", "x1"], "x2, +50"],
    [["http://127.0.0.1:1/", "--start", "0"], "above 0"],
    [["http://127.0.0.1:1/", "--record", "x"], "--receive has to be given"],
    [["http://127.0.0.1:1/", "--receive", "x"], "Expected a port"],
    [["http://127.0.0.1:1/", "--body", "/no/such/file"], "/no/such/file"],
  ])("%j", (args, message) => {
    const { code, stdout, stderr } = longpole(["ramp", ...args]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });
});
