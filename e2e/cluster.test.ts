import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Engine } from "../src/store/embedded/engine.ts";
import { START_TIMEOUT_MS, startUp, type RunningUp } from "./running-up.ts";

/* A server on a cluster of two shards, one of which goes away for a while. */
const PASSWORD = "of both shards";
const TRACES = 60;

let folder = "";
const engines: Engine[] = [];
let up: RunningUp;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpole-up-cluster-"));
  const ports = [await freePort(), await freePort()];
  const shards = ports.map((tcpPort) => ({ host: "127.0.0.1", tcpPort, password: PASSWORD }));
  for (const [i, tcpPort] of ports.entries()) {
    const dataDir = join(folder, String(i));
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, "engine.password"), PASSWORD, { mode: 0o600 });
    engines.push(await Engine.start({ dataDir, tcpPort, shards }));
  }
  const config = join(folder, "longpole.yaml");
  const urls = engines.map(({ url }) => url).join(", ");
  writeFileSync(
    config,
    `clickhouse: { urls: [${urls}], user: longpole, password: "${PASSWORD}", cluster: longpole, partialReads: true }\n`,
  );
  up = await startUp(join(folder, "data"), ["--config", config]);
}, 2 * START_TIMEOUT_MS);

afterAll(async () => {
  up?.kill("SIGKILL");
  await up?.ended;
  await Promise.all(engines.map((engine) => engine.stop()));
  rmSync(folder, { recursive: true, force: true });
});

function freePort(): Promise<number> {
  return new Promise((found) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => found(port));
    });
  });
}

/** Sends traces of one span each; `round` tells their ids from others'. */
async function send(round: number): Promise<number> {
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const spans = Array.from({ length: TRACES }, (_, i) => ({
    traceId: `${round}${String(i).padStart(7, "0")}`.padStart(32, "a"),
    spanId: `${round}${String(i).padStart(7, "0")}`.padStart(16, "b"),
    name: "GET /",
    kind: 2,
    startTimeUnixNano: String(nowNs),
    endTimeUnixNano: String(nowNs + 1_000_000n),
  }));
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "web" } }] };
  const answer = await fetch(`${up.otlpUrl}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }),
  });
  return answer.status;
}

interface Counted {
  readonly status: number;
  readonly partial: string | null;
  readonly count: number | undefined;
}

/** Spans by the rates of the last hour. */
async function counted(): Promise<Counted> {
  const answer = await fetch(`${up.apiUrl}/api/v1/red?last=1h`);
  const body = (await answer.json()) as { rows?: { count: number }[] };
  return {
    status: answer.status,
    partial: answer.headers.get("longpole-partial"),
    count: body.rows?.reduce((sum, { count }) => sum + count, 0),
  };
}

/** Asks until it is so; what it was last else. */
async function eventually(isSo: (found: Counted) => boolean): Promise<Counted> {
  let found = await counted();
  for (const until = Date.now() + 60_000; !isSo(found) && Date.now() < until; found = await counted()) await sleep(200);
  return found;
}

const ended = (count: number) => (found: Counted) => found.count === count && found.partial === null;

test("what is acknowledged while a shard is away is there when it is back, and look-ups say what they lack", async () => {
  expect(await send(1)).toBe(200);
  expect(await eventually(ended(TRACES))).toEqual({ status: 200, partial: null, count: TRACES });

  await engines[1]!.stop();
  const lacking = await counted();
  expect([lacking.status, lacking.partial]).toEqual([200, "1 of 2 shards do not answer"]);
  expect(await send(2)).toBe(200);
  const search = await fetch(`${up.apiUrl}/api/v1/traces/search?last=1h&service=web`);
  expect([search.status, search.headers.get("longpole-partial")]).toEqual([200, "1 of 2 shards do not answer"]);
  // A report is of all or none.
  const report = await fetch(`${up.apiUrl}/api/v1/report?last=1h`);
  expect([report.status, report.headers.get("longpole-partial")]).toEqual([503, null]);

  const { dataDir, httpPort, tcpPort } = engines[1]!;
  const shards = engines.map((engine) => ({ host: "127.0.0.1", tcpPort: engine.tcpPort, password: PASSWORD }));
  engines[1] = await Engine.start({ dataDir, httpPort, tcpPort, shards });
  expect(await eventually(ended(2 * TRACES))).toEqual({ status: 200, partial: null, count: 2 * TRACES });
  await sleep(2000);
  expect((await counted()).count).toBe(2 * TRACES);
}, 180_000);
