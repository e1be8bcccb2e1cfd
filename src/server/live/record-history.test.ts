import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Embedded, openEmbedded } from "../../store/embedded/open-embedded.ts";
import type { Store } from "../../store/store.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { spansFromRows } from "../../testing/spans-from-rows.ts";
import type { SignalCounts } from "../context.ts";
import { recordDatabases } from "./record-databases.ts";
import { LedgerRecord, recordChangePoints } from "./record-history.ts";

let dataDir = "";
let embedded: Embedded;
let store: Store;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "longpole-record-history-"));
  embedded = await openEmbedded({ dataDir, retention: { spanDays: 3650, metricDays: 3650 } });
  ({ store } = embedded);
}, 60_000);

afterAll(async () => {
  await embedded?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** A minute within the hour of drawn spans. */
const START = 1_790_000_040_000_000_000n;
const MINUTE_S = 60;
const NOW = START + 200n * 60_000_000_000n;

test("a level that rose is written down once, however often it is looked for", async () => {
  // Requests of 10 ms, one in ten of 11; from minute 120 on they take three times as long.
  const rows = Array.from({ length: 200 * 10 }, (_, i) => {
    const minute = Math.floor(i / 10);
    const startNs = 40e9 + (minute * MINUTE_S + (i % 10)) * 1e9;
    const ms = ((i * 7) % 10 === 0 ? 11 : 10) * (minute < 120 ? 1 : 3);
    return {
      trace: i + 1,
      id: i + 1,
      parent: 0,
      startNs,
      endNs: startNs + ms * 1e6,
      service: "web",
      name: "GET /",
      kind: 2,
    };
  });
  await store.insertSpans(spansFromRows(rows), "rows");
  const found = await recordChangePoints(store, NOW);
  expect(found.length).toBeGreaterThan(0);
  for (const event of found) {
    expect(event).toMatchObject({ kind: "change-point", service: "web", timeUnixNs: START + 120n * 60_000_000_000n });
    const { beforeMs, afterMs, operation } = JSON.parse(event.json) as Record<string, number>;
    expect(operation).toBe("GET /");
    expect(afterMs! / beforeMs!).toBeCloseTo(3, 1);
  }
  expect(await recordChangePoints(store, NOW)).toEqual([]);
  expect(await recordChangePoints(store, NOW - 60_000_000_000n)).toEqual([]);
  const kept = await store.history.readEvents({ fromUnixNs: START, toUnixNs: NOW });
  expect(kept.map(({ id }) => id).sort()).toEqual(found.map(({ id }) => id).sort());
});

test("the ledger is written when it changed, and survives the process", async () => {
  const counts = (stored: number, full: number): Record<string, SignalCounts> => ({
    traces: {
      received: stored + full,
      stored,
      waiting: 0,
      rejected: full === 0 ? {} : { "wal-full": full },
      dropped: {},
    },
    logs: { received: 0, stored: 0, waiting: 0, rejected: {}, dropped: {} },
  });
  const record = new LedgerRecord(store);
  await record.write(counts(10, 0), NOW);
  await record.write(counts(10, 0), NOW + 1n);
  // Another process, which goes on from what the log says.
  await new LedgerRecord(store).write(counts(25, 4), NOW + 2n);
  expect(await store.history.readLedger({ fromUnixNs: NOW, toUnixNs: NOW + 10n })).toEqual([
    { signal: "traces", outcome: "received", reason: "", items: 29 },
    { signal: "traces", outcome: "rejected", reason: "wal-full", items: 4 },
    { signal: "traces", outcome: "stored", reason: "", items: 25 },
  ]);
});

test("settings and statements of databases are kept, and a setting that changed is an event", async () => {
  const resource = { "postgresql.database.name": "shop" };
  const setting = (name: string, at: number, value: number): SeriesObject => ({
    name: `postgresql.setting.${name}`,
    kind: "gauge",
    resource,
    points: [[at, value]],
  });
  const calls = (at: number): SeriesObject => ({
    name: "postgresql.statement.calls",
    kind: "sum",
    temporality: "delta",
    monotonic: true,
    resource,
    labels: { "db.query.text": "SELECT id FROM orders WHERE customer = $1", "postgresql.queryid": "-42" },
    points: [{ at, start: at - 10, value: 3 }],
  });
  const second = (at: number): bigint => (1_790_000_000n + BigInt(at)) * 1_000_000_000n;
  const look = async (at: number, buffers: number) => {
    const table = metricTableOf(setting("shared_buffers", at, buffers), setting("random_page_cost", at, 4), calls(at));
    await store.insertMetrics(table, `settings ${at}`);
    return recordDatabases(store, { fromUnixNs: second(at - 60), toUnixNs: second(at + 1) });
  };
  // What it is at first is no change, and neither is the same again.
  expect(await look(1000, 128 * 2 ** 20)).toEqual([]);
  expect(await look(2000, 128 * 2 ** 20)).toEqual([]);
  const changed = await look(3000, 2 ** 32);
  expect(changed.map(({ after }) => [after.service, after.name, after.value])).toEqual([
    ["shop", "shared_buffers", "4 GB"],
  ]);
  const range = { fromUnixNs: second(0), toUnixNs: second(4000) };
  const events = (await store.history.readEvents(range)).filter(({ kind }) => kind === "setting");
  expect(events.map(({ title }) => title)).toEqual(["shared_buffers of shop: 128 MB -> 4 GB"]);
  // Two servers with a database of one name: that they differ is no change, and what changed is of one of them.
  const both = async (at: number, mb2: number) => {
    const buffers = [32, mb2].map((mb, i) => ({
      ...setting("shared_buffers", at, mb * 2 ** 20),
      resource: { "postgresql.database.name": "users", "service.instance.id": `db${i + 1}:5432/users` },
    }));
    await store.insertMetrics(metricTableOf(...buffers), `two servers ${at}`);
    return recordDatabases(store, { fromUnixNs: second(at - 60), toUnixNs: second(at + 1) });
  };
  expect(await both(5000, 64)).toEqual([]);
  expect(await both(6000, 64)).toEqual([]);
  expect(await both(7000, 128)).toMatchObject([{ after: { instance: "db2:5432/users", value: "128 MB" } }]);
  const later = await store.history.readEvents({ fromUnixNs: second(5000), toUnixNs: second(8000) });
  expect(later.filter(({ kind }) => kind === "setting").map(({ title }) => title)).toEqual([
    "shared_buffers of users (db2:5432): 64 MB -> 128 MB",
  ]);
  expect(await store.history.readStatements(range)).toMatchObject([
    { database: "shop", id: "-42", text: "SELECT id FROM orders WHERE customer = ?", planJson: "" },
  ]);
});
