import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Compile } from "typebox/schema";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Report } from "../src/model/report.ts";
import { longpole, ROOT } from "./longpole.ts";
import { replay, type Replayed } from "./replay.ts";
import { START_TIMEOUT_MS, startUp, type RunningUp } from "./running-up.ts";

/** So few that the recording is thinned: what a window of millions meets. */
const ANALYSIS_SPANS = 10_000;

let folder = "";
let up: RunningUp;
let sent: Replayed;
let window = "";
let openApi: OpenApi;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpole-api-"));
  const config = join(folder, "longpole.yaml");
  writeFileSync(
    config,
    `limits: { analysisSpans: ${ANALYSIS_SPANS} }\nobjectives: ["GET /api/orders/:id p99 < 300ms"]\noperations: [{ match: "^GET /api/(\\\\w+)/:id/summary$", name: "GET /api/$1/ID/summary" }]\n`,
  );
  up = await startUp(join(folder, "data"), ["--config", config]);
  sent = await replay("examples/small-pool/fault", up.otlpUrl, BigInt(Date.now() - 1000) * 1_000_000n);
  window = `from=${sent.firstUnixNs}&to=${sent.lastUnixNs + 1_000_000n}`;
  openApi = (await (await fetch(`${up.apiUrl}/api/v1/openapi.json`)).json()) as OpenApi;
}, START_TIMEOUT_MS);
afterAll(async () => {
  up.kill("SIGKILL");
  await up.ended;
  rmSync(folder, { recursive: true, force: true });
});

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> };
}
interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema: Json }>> }>
  >;
}
type Json = { readonly [key: string]: unknown };

/** The schema with its references filled in, and no field allowed that it does not name. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== "object" || schema === null) return schema;
  const node = schema as Json;
  const reference = node["$ref"];
  if (typeof reference === "string") return strict(openApi.components.schemas[reference.split("/").at(-1)!]);
  const inner = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, strict(value)]));
  return node["properties"] === undefined ? inner : { ...inner, additionalProperties: false };
}

/** What is wrong with an answer by the description of its path; nothing is right. */
function faults(path: string, method: string, status: string, type: string, value: unknown): unknown {
  const schema = openApi.paths[path]?.[method]?.responses[status]?.content[type]?.schema;
  if (schema === undefined) return `${method} ${path} has no ${status} of ${type}`;
  const [, errors] = Compile(strict(schema) as never).Errors(value);
  return errors;
}

async function get(path: string): Promise<{ status: number; type: string; body: unknown }> {
  const answer = await fetch(`${up.apiUrl}${path}`);
  const type = (answer.headers.get("content-type") ?? "").split(";")[0]!;
  return { status: answer.status, type, body: type.endsWith("json") ? await answer.json() : await answer.text() };
}

test.each([
  ["/api/v1/status", ""],
  ["/api/v1/report", "WINDOW"],
  ["/api/v1/services", "WINDOW"],
  ["/api/v1/operations", "WINDOW&service=gateway"],
  ["/api/v1/red", "WINDOW"],
  ["/api/v1/red", "WINDOW&service=gateway&step=1m&roots=true"],
  ["/api/v1/edges", "WINDOW"],
  ["/api/v1/traces/search", "WINDOW&service=gateway&minDuration=1ms&limit=3&order=slowest"],
  [
    "/api/v1/traces/search",
    `WINDOW&q=${encodeURIComponent('{ resource.service.name = "gateway" && duration > 1ms }')}`,
  ],
  ["/api/v1/traces/search", `WINDOW&limit=2&q=${encodeURIComponent("{ kind = server } >> { kind = client }")}`],
  ["/api/v1/findings", "last=1h"],
  ["/api/v1/changes", "last=1h"],
  ["/api/v1/ledger", "last=1h"],
])("GET %s %s answers as OpenAPI describes it, with nothing else", async (path, query) => {
  const { status, type, body } = await get(`${path}?${query.replace("WINDOW", window)}`);
  expect([status, type]).toEqual([200, "application/json"]);
  expect(faults(path, "get", "200", type, body)).toEqual([]);
});

test.each([
  ["/api/v1/report", "last=soon", 400, "last"],
  ["/api/v1/report", "lst=15m", 400, "lst"],
  ["/api/v1/report", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", 400, "from"],
  ["/api/v1/report", "baseline=sometime", 400, "baseline"],
  ["/api/v1/report", "objective=fast", 400, "objective"],
  ["/api/v1/operations", "", 400, "service"],
  ["/api/v1/red", "step=0m", 400, "step"],
  ["/api/v1/red", "step=90s", 400, "step"],
  ["/api/v1/red", "operation=x", 400, "service"],
  ["/api/v1/traces/search", "limit=100000", 400, "limit"],
  ["/api/v1/traces/search", `q=${encodeURIComponent("{ duration > 100 }")}`, 400, "q"],
  ["/api/v1/traces/search", "q=%7B%7D&service=x", 400, "service"],
  ["/api/v1/trace/0123456789abcdef0123456789abcdef/view", "", 404, undefined],
  ["/api/v1/export", "format=pprof", 400, "service"],
  ["/api/v1/trace/xyz", "", 400, "id"],
  ["/api/v1/trace/0123456789abcdef0123456789abcdef", "", 404, undefined],
  ["/api/v1/nothing", "", 404, undefined],
])("GET %s?%s is refused with %i that names %s", async (path, query, expected, field) => {
  const { status, type, body } = await get(`${path}?${query}`);
  expect([status, type]).toEqual([expected, "application/problem+json"]);
  expect(body).toMatchObject({ status: expected, ...(field === undefined ? {} : { field }) });
  expect(faults("/api/v1/status", "get", "default", type, body)).toEqual([]);
});

test("a query finds traces, and one of them is there to look at", async () => {
  const q = encodeURIComponent('{ resource.service.name = "gateway" } >> { kind = client }');
  const { body } = await get(`/api/v1/traces/search?${window}&limit=3&order=slowest&q=${q}`);
  const { traces, lookedAt, more } = body as {
    traces: { traceId: string; spans: number }[];
    lookedAt: number;
    more: boolean;
  };
  expect(traces).toHaveLength(3);
  expect(lookedAt).toBeGreaterThanOrEqual(3);
  expect(more).toBe(true);
  const view = (await get(`/api/v1/trace/${traces[0]!.traceId}/view`)).body as { spanId: string[]; resource: number[] };
  expect(view).toMatchObject({ traceId: traces[0]!.traceId, role: "found", endpoint: -1 });
  expect(view.spanId).toHaveLength(traces[0]!.spans);
  expect(view.resource).toHaveLength(traces[0]!.spans);
});

test("a deploy that was told is among the changes, and replaced when it is told again", async () => {
  const tell = async (change: object): Promise<[number, unknown]> => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${up.apiUrl}/api/v1/changes`, {
      method: "POST",
      headers,
      body: JSON.stringify(change),
    });
    return [answer.status, await answer.json()];
  };
  const deploy = { kind: "deploy", title: "orders v2", service: "orders", time: "2026-01-31T12:00:00Z", id: "ci-1" };
  expect(await tell(deploy)).toEqual([201, { id: "ci-1" }]);
  expect(await tell({ ...deploy, title: "orders v3", details: { commit: "abc" } })).toEqual([201, { id: "ci-1" }]);
  const { body } = await get("/api/v1/changes?from=2026-01-31T11:00:00Z&to=2026-01-31T13:00:00Z");
  expect(body).toEqual({
    changes: [
      {
        id: "ci-1",
        timeUnixNs: "1769860800000000000",
        kind: "deploy",
        service: "orders",
        title: "orders v3",
        details: { commit: "abc" },
      },
    ],
  });
  expect(await tell({ ...deploy, when: "now" })).toMatchObject([400, { field: "when" }]);
  expect(await tell({ ...deploy, time: "noon" })).toMatchObject([400, { field: "time" }]);
  expect(await tell({ ...deploy, kind: "A deploy" })).toMatchObject([400, { field: "kind" }]);
  // What the server alone finds, and the ids under which it does.
  for (const kind of ["change-point", "setting"]) {
    expect(await tell({ ...deploy, kind })).toMatchObject([400, { field: "kind" }]);
    expect(await tell({ ...deploy, id: `${kind} ["orders"] 1` })).toMatchObject([400, { field: "id" }]);
  }
  expect(await tell({ ...deploy, kind: "settings", id: "settings" })).toMatchObject([201, {}]);
});

test("a window with too many spans is thinned, says so, and still equals its export to the last digit", async () => {
  const { body } = await get(`/api/v1/report?${window}`);
  const { live, objectives, ...report } = body as Report;
  expect(live).toMatchObject({ traceShare: 0.25, spansInWindow: sent.spans });
  expect(report.dataQuality.sampling).toBe("head");
  expect(report.dataQuality.spans).toBeLessThan(ANALYSIS_SPANS * 1.5);
  const requests = report.endpoints.reduce((sum, endpoint) => sum + endpoint.requests, 0);
  expect(requests).toBeGreaterThan(500);
  expect(objectives?.[0]).toMatchObject({ metric: "p99", limitMs: 300 });
  expect(report.endpoints.map(({ operation }) => operation)).toContain("GET /api/customers/ID/summary");
  expect(report.findings[0]?.mechanism).toBe("pool-exhausted");

  const file = join(folder, "export.jsonl");
  writeFileSync(file, Buffer.from(await (await fetch(`${up.apiUrl}/api/v1/export?${window}`)).arrayBuffer()));
  const offline = JSON.parse(
    longpole(["analyze", file, "--objective", "GET /api/orders/:id p99 < 300ms", "--json", "-q"]).stdout,
  ) as Report;
  expect(offline).toEqual({ ...report, objectives });
});

interface Event {
  readonly event: string;
  readonly data: unknown;
}

async function* eventsOf(path: string, signal: AbortSignal): AsyncGenerator<Event> {
  const answer = await fetch(`${up.apiUrl}${path}`, { signal });
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  let text = "";
  for await (const chunk of answer.body!) {
    text += Buffer.from(chunk as Uint8Array).toString();
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      if (event !== undefined) yield { event, data: JSON.parse(data!) as unknown };
    }
  }
}

test("a report comes with its progress, and is the same as the one that comes at once", async () => {
  const seen: Event[] = [];
  for await (const event of eventsOf(`/api/v1/report/events?${window}&endpoint=orders`, new AbortController().signal))
    seen.push(event);
  const progress = seen
    .filter(({ event }) => event === "progress")
    .map(({ data }) => data as { stage: string; done: number; total: number });
  expect(new Set(progress.map(({ stage }) => stage)).size).toBeGreaterThan(5);
  for (const { done, total } of progress) expect(done).toBeLessThanOrEqual(total);
  expect(seen.at(-1)!.event).toBe("report");
  expect(seen.at(-1)!.data).toEqual((await get(`/api/v1/report?${window}&endpoint=orders`)).body);
  // Nothing came since: it is read again, and not worked out again.
  const again: Event[] = [];
  const path = `/api/v1/report/events?${window}&endpoint=orders`;
  for await (const event of eventsOf(path, new AbortController().signal)) again.push(event);
  expect(again.at(-1)!.data).toEqual(seen.at(-1)!.data);
  const stages = again.filter(({ event }) => event === "progress").map(({ data }) => (data as { stage: string }).stage);
  expect(stages).toContain("reading spans");
  expect(stages).not.toContain("assembling traces");
});

test("the status comes as an event each second", async () => {
  const abort = new AbortController();
  const received: number[] = [];
  for await (const { event, data } of eventsOf("/api/v1/events", abort.signal)) {
    expect(event).toBe("status");
    expect(faults("/api/v1/status", "get", "200", "application/json", data)).toEqual([]);
    received.push((data as { ingest: { traces: { received: number } } }).ingest.traces.received);
    if (received.length === 3) break;
  }
  abort.abort();
  expect(received).toEqual([sent.spans, sent.spans, sent.spans]);
});

test("a page of another origin is refused, and so is a body of another type", async () => {
  const post = (headers: Record<string, string>) =>
    fetch(`${up.apiUrl}/api/v1/what-if`, { method: "POST", headers, body: JSON.stringify({ changes: ["x"] }) });
  expect((await post({ "content-type": "application/json", origin: "https://evil.example" })).status).toBe(403);
  expect((await post({ "content-type": "text/plain" })).status).toBe(415);
  const wrong = await post({ "content-type": "application/json" });
  expect(wrong.status).toBe(400);
  expect(await wrong.json()).toMatchObject({ field: "changes" });
});

test("a profile that is posted becomes part of the report, and comes back as pprof", async () => {
  const folded = "main;handleOrder;parseBody 700\nmain;handleOrder;respond 300\n";
  const post = (query: string, body: string, type = "text/plain"): Promise<Response> =>
    fetch(`${up.apiUrl}/api/v1/profiles?${query}`, { method: "POST", headers: { "content-type": type }, body });
  const kept = await post(`service=gateway&start=${sent.firstUnixNs}`, folded);
  expect([kept.status, await kept.json()]).toEqual([201, { format: "folded", samples: 2 }]);
  expect((await post("", folded)).status).toBe(400);
  const wrong = await post("service=gateway", "{}", "application/json");
  expect([400, 415]).toContain(wrong.status);
  expect(((await wrong.json()) as { detail: string }).detail).toContain("body");

  const file = join(folder, "gateway.pprof");
  writeFileSync(
    file,
    Buffer.from(await (await fetch(`${up.apiUrl}/api/v1/export?${window}&format=pprof&service=gateway`)).arrayBuffer()),
  );
  expect(longpole(["flame", file, "--folded", "-q"]).stdout.trim().split("\n").sort()).toEqual(
    folded.trim().split("\n").sort(),
  );
  const { body } = await get(`/api/v1/report?${window}`);
  expect((body as Report).dataQuality.warnings.join()).not.toContain("profile");
});

test("the page of a window is its report with what a person looks into, and diagnose writes it as one file", async () => {
  const { body } = await get(`/api/v1/page?${window}`);
  const page = body as { schema: string; report: Report; flames: object[]; endpoints: object[] };
  expect(page.schema).toMatch(/^longpole\.page\//);
  expect(page.report).toEqual((await get(`/api/v1/report?${window}`)).body);
  expect(page.endpoints.length).toBeGreaterThan(0);
  const shell = await fetch(`${up.apiUrl}/`);
  expect([shell.status, shell.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  expect(shell.headers.get("content-security-policy")).toContain("script-src 'self'");
  expect(await shell.text()).toContain('src="./ui.js"');
  expect((await fetch(`${up.apiUrl}/ui.js`)).headers.get("content-type")).toContain("javascript");
  const saved = await fetch(`${up.apiUrl}/api/v1/page.html?${window}`);
  expect(saved.headers.get("content-disposition")).toContain("attachment");
  expect(await saved.text()).toMatch(/^<!doctype html>/);
  const html = join(folder, "page.html");
  const { code, stderr } = longpole([
    "diagnose",
    "--url",
    up.apiUrl,
    "--from",
    String(sent.firstUnixNs),
    "--html",
    html,
  ]);
  expect([code, stderr]).toEqual([0, expect.stringContaining("wrote")]);
  expect(readFileSync(html, "utf8")).toMatch(/^<!doctype html>/);
});

test("its own figures are Prometheus text that longpole itself reads", async () => {
  const text = (await get("/metrics")).body as string;
  expect(text).toContain("longpole_store_ready 1");
  const file = join(folder, "metrics.prom");
  writeFileSync(file, text);
  expect(longpole(["analyze", file, "--json"]).stderr).toBe("");
});

interface Red {
  readonly rows: readonly { readonly kind: string; readonly count: number }[];
}

/** A program as users have them, that nobody wrote for Longpole: instrumented by OpenTelemetry from outside. */
const PROGRAM = `
const { createServer, get } = require("node:http");
const server = createServer((request, response) => setTimeout(() => response.end("ok"), request.url === "/slow" ? 30 : 2));
server.listen(0, "127.0.0.1", async () => {
  const { port } = server.address();
  for (let i = 0; i < 40; i++) {
    await new Promise((resolve) => get({ port, path: i % 4 === 0 ? "/slow" : "/fast" }, (r) => r.resume().on("end", resolve)));
  }
  server.close();
});
`;

test.each([
  ["http/protobuf", () => up.otlpUrl],
  ["grpc", () => `http://${up.otlpGrpc}`],
])("a program with the stock OpenTelemetry SDK over %s is seen with all of its spans", async (protocol, endpoint) => {
  const program = join(folder, "program.cjs");
  writeFileSync(program, PROGRAM);
  const service = `sdk-${protocol.replace("/", "-")}`;
  const register = join(
    ROOT,
    "node_modules",
    "@opentelemetry",
    "auto-instrumentations-node",
    "build",
    "src",
    "register.js",
  );
  const done = spawnSync(process.execPath, ["--require", register, program], {
    encoding: "utf8",
    env: {
      PATH: process.env["PATH"] ?? "",
      OTEL_SERVICE_NAME: service,
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint(),
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_METRICS_EXPORTER: "none",
      OTEL_LOGS_EXPORTER: "none",
      OTEL_NODE_RESOURCE_DETECTORS: "env",
    },
  });
  expect(done.status, done.stderr).toBe(0);
  // The store may be behind on a busy machine; that nothing is lost is what is asked here.
  let counts: number[] = [];
  for (let tries = 0; tries < 60 && counts.join() !== "40,40"; tries++) {
    const { rows } = (await get(`/api/v1/red?last=15m&service=${service}`)).body as Red;
    counts = ["server", "client"].map((kind) =>
      rows.filter((row) => row.kind === kind).reduce((sum, row) => sum + row.count, 0),
    );
    if (counts.join() !== "40,40") await sleep(500);
  }
  expect(counts, `${done.stderr}${up.stderr()}`).toEqual([40, 40]);
  const found = (await get(`/api/traces?service=${service}&limit=1&minDuration=25ms`)).body as {
    data: { traceID: string; spans: object[] }[];
  };
  expect(found.data[0]!.spans).toHaveLength(2);
  const again = (await get(`/api/traces/${found.data[0]!.traceID}`)).body;
  expect(again).toMatchObject({ data: found.data, errors: null });
});
