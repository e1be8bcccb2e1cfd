import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { spanObjects } from "../testing/span-objects.ts";
import { spansFromRows } from "../testing/spans-from-rows.ts";
import { metricTableOf } from "../testing/metric-table.ts";
import { connect } from "./connect.ts";
import { type Connection, Link } from "./connection.ts";
import { Engine } from "./embedded/engine.ts";
import type { Store } from "./store.ts";

/*
 * A genuine cluster of two shards, each an engine of its own, that know each other by <remote_servers>.
 * Replicas need a Keeper, of which there is none here.
 */
const BASE = 1_790_000_000_000_000_000n;
const RANGE = { fromUnixNs: BASE - 1_000_000_000n, toUnixNs: BASE + 3_600_000_000_000n };
const TRACES = 200;

let folder = "";
const engines: Engine[] = [];
let connection: Connection;
let store: Store;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpole-cluster-"));
  const ports = [await freePort(), await freePort()];
  // One password for both: each writes to and reads from the other as the same user.
  const password = "of both shards";
  for (const [i, tcpPort] of ports.entries()) {
    const dataDir = join(folder, String(i));
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, "engine.password"), password, { mode: 0o600 });
    const shards = ports.map((port) => ({ host: "127.0.0.1", tcpPort: port, password }));
    engines.push(await Engine.start({ dataDir, tcpPort, shards }));
  }
  const { user } = engines[0]!.writer;
  connection = { urls: engines.map(({ url }) => url), user, password, database: "longpole", cluster: "longpole" };
  store = await connect(connection, { retention: { spanDays: 3650, metricDays: 3650 } });
}, 120_000);

afterAll(async () => {
  await store?.close();
  await Promise.all(engines.map((engine) => engine.stop()));
  rmSync(folder, { recursive: true, force: true });
});

function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => found(port));
    });
  });
}

/** Traces of a caller and two calls. */
const spans = spansFromRows(
  Array.from({ length: 3 * TRACES }, (_, i) => {
    const [trace, part] = [Math.floor(i / 3) + 1, i % 3];
    return {
      trace,
      id: i + 1,
      parent: part === 0 ? 0 : 3 * (trace - 1) + 1,
      startNs: trace * 1e6,
      endNs: trace * 1e6 + 5e6,
      service: part === 0 ? "web" : "db",
      name: part === 0 ? "GET /" : "select",
      kind: 2,
    };
  }),
);

/** Rows that a node itself holds. */
async function rowsOn(node: number, table: string): Promise<number> {
  const link = new Link({ ...connection, urls: [engines[node]!.url] });
  const [row] = await link.rows<{ n: number }>(`SELECT toUInt32(count()) AS n FROM longpole_local.${table}`, {
    asWriter: true,
  });
  await link.close();
  return row!.n;
}

test("spans go to both shards, a trace to one of them, and are read as one table", async () => {
  await store.insertSpans(spans, "block");
  await store.insertSpans(spans, "block");
  const held = [await rowsOn(0, "spans"), await rowsOn(1, "spans")];
  expect(held[0]! + held[1]!).toBe(3 * TRACES);
  // Binomial of 200 traces: six standard deviations are 42.
  for (const rows of held) expect(Math.abs(rows / 3 - TRACES / 2)).toBeLessThan(43);
  for (const rows of held) expect(rows % 3).toBe(0);
  const key = (span: { traceId: string; spanId: string }): string => span.traceId + span.spanId;
  const sorted = (table: typeof spans): unknown[] => spanObjects(table).toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
  expect(sorted(await store.readSpans(RANGE))).toEqual(sorted(spans));
  expect((await store.trace("7".padStart(32, "0"))).rowCount).toBe(3);
});

test("rates, searches and edges are those of all shards", async () => {
  const rows = await store.red(RANGE);
  expect(rows.map(({ service, operation, count }) => [service, operation, count])).toEqual([
    ["db", "select", 2 * TRACES],
    ["web", "GET /", TRACES],
  ]);
  expect(await store.services(RANGE)).toEqual(["db", "web"]);
  const found = await store.searchTraces({ ...RANGE, service: "web", limit: 3 });
  expect(found.map(({ traceId, spans: count }) => [Number.parseInt(traceId, 16), count])).toEqual([
    [TRACES, 3],
    [TRACES - 1, 3],
    [TRACES - 2, 3],
  ]);
  expect((await store.edges(RANGE, { traceShare: 1 })).edges).toEqual([
    { caller: "web", callee: "db", operation: "select", count: 2 * TRACES, errors: 0, sumNs: 2 * TRACES * 5e6 },
  ]);
  expect((await store.status()).tables.find(({ table }) => table === "spans")!.rows).toBe(3 * TRACES);
});

test("metrics and findings", async () => {
  const series = Array.from({ length: 40 }, (_, i) => ({
    name: `metric ${i}`,
    kind: "gauge" as const,
    points: [[1, i] as const, [2, i] as const],
  }));
  await store.insertMetrics(metricTableOf(...series), "metrics");
  expect(await rowsOn(0, "series")).toBeGreaterThan(5);
  expect(await rowsOn(1, "series")).toBeGreaterThan(5);
  const back = await store.readMetrics(RANGE);
  expect([back.seriesCount, back.points.rowCount]).toEqual([40, 80]);
  const finding = { id: "a", window: RANGE, firstSeenUnixNs: BASE, lastSeenUnixNs: BASE, json: "{}", scoreJson: "" };
  await store.saveFindings([finding]);
  expect(await store.readFindings(RANGE)).toEqual([finding]);
});

test("the tables are made for as many nodes as the cluster has", async () => {
  await expect(connect({ ...connection, urls: [connection.urls[0]!] })).rejects.toThrow(/has 2 shards, 1 addresses/);
  await expect(connect({ ...connection, cluster: "nowhere" })).rejects.toThrow(/knows no cluster "nowhere"/);
});

test("a shard that is gone is an error, or left out where that is asked for; nothing acknowledged is lost", async () => {
  const partial = await connect({ ...connection, partialReads: true }, { isMigrated: true });
  expect(await partial.shards()).toEqual({ all: 2, answering: 2 });
  await engines[1]!.stop();
  // Never an answer of the rest that looks like one of all.
  await expect(store.readSpans(RANGE)).rejects.toMatchObject({ code: "unreachable" });
  await expect(store.insertSpans(spans, "meanwhile")).rejects.toMatchObject({ code: "unreachable" });
  expect(await partial.shards()).toEqual({ all: 2, answering: 1 });
  const rest = await rowsOn(0, "spans");
  expect(rest).toBeLessThan(6 * TRACES);
  expect(await partial.spansIn(RANGE)).toBe(rest);
  expect((await partial.readSpans(RANGE)).rowCount).toBe(rest);
  await expect(partial.insertSpans(spans, "meanwhile")).rejects.toMatchObject({ code: "unreachable" });
  const shards = engines.map(({ tcpPort }) => ({ host: "127.0.0.1", tcpPort, password: connection.password }));
  const { dataDir, httpPort, tcpPort } = engines[1]!;
  engines[1] = await Engine.start({ dataDir, httpPort, tcpPort, shards });
  expect(await store.spansIn(RANGE)).toBeGreaterThanOrEqual(3 * TRACES);
  // The half that was taken by the living shard is not taken twice.
  await store.insertSpans(spans, "meanwhile");
  expect(await store.spansIn(RANGE)).toBe(6 * TRACES);
  expect(await partial.shards()).toEqual({ all: 2, answering: 2 });
  expect(await partial.spansIn(RANGE)).toBe(6 * TRACES);
  await partial.close();
});

test("a lone server is one shard", async () => {
  const { urls, user, password } = connection;
  const alone = await connect({ urls: [urls[0]!], user, password, database: "longpole" }, { isMigrated: true });
  expect(await alone.shards()).toEqual({ all: 1, answering: 1 });
  await alone.close();
});
