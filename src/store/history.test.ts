import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { spansFromRows } from "../testing/spans-from-rows.ts";
import { Link } from "./connection.ts";
import { EdgeCounts } from "./edge-counts.ts";
import { type Embedded, openEmbedded } from "./embedded/open-embedded.ts";
import type { StoredSetting } from "./history.ts";
import type { History, Store } from "./store.ts";

let dataDir = "";
let embedded: Embedded;
let store: Store;
let history: History;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "longpole-history-"));
  embedded = await openEmbedded({ dataDir, retention: { spanDays: 3650, metricDays: 3650 } });
  ({ store } = embedded);
  ({ history } = store);
}, 60_000);

afterAll(async () => {
  await embedded?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const SECOND = 1_000_000_000n;
const NOON = 1_789_992_000n * SECOND;
const at = (seconds: number): bigint => NOON + BigInt(seconds) * SECOND;
const range = (from: number, to: number): { fromUnixNs: bigint; toUnixNs: bigint } => ({
  fromUnixNs: at(from),
  toUnixNs: at(to),
});

test("events: the newest first, in their range, replaced by id", async () => {
  const deploy = { id: "d1", timeUnixNs: at(60) + 7n, kind: "deploy", service: "web", title: "v2", json: `{"a":"'"}` };
  const change = { ...deploy, id: "c1", timeUnixNs: at(90), kind: "change-point", title: "p99 rose", json: "{}" };
  await history.saveEvents([deploy, change]);
  expect(await history.readEvents(range(0, 100))).toEqual([change, deploy]);
  expect(await history.readEvents(range(61, 100))).toEqual([change]);
  await history.saveEvents([{ ...deploy, title: "v3" }]);
  expect(await history.readEvents(range(0, 61))).toEqual([{ ...deploy, title: "v3" }]);
});

test("statements: each once, as it was seen last", async () => {
  const statement = { service: "db", database: "shop", id: "-17", text: "SELECT $1", planJson: "", seenUnixNs: at(1) };
  await history.saveStatements([statement, { ...statement, database: "other" }]);
  const later = { ...statement, planJson: `[{"Plan":{}}]`, seenUnixNs: at(50) };
  await history.saveStatements([later]);
  expect(await history.readStatements(range(0, 10))).toEqual([{ ...statement, database: "other" }]);
  expect(await history.readStatements(range(0, 100))).toEqual([{ ...statement, database: "other" }, later]);
});

test("settings: a row per change, and what held at a time", async () => {
  const setting = (seconds: number, name: string, value: string): StoredSetting => ({
    service: "db",
    instance: "a",
    name,
    value,
    source: "pg_settings",
    timeUnixNs: at(seconds),
  });
  const first = [setting(10, "work_mem", "4MB"), setting(10, "shared_buffers", "1GB")];
  expect(await history.saveSettings(first)).toEqual(first.map((after) => ({ before: undefined, after })));
  expect(await history.saveSettings([setting(20, "work_mem", "4MB"), setting(20, "shared_buffers", "1GB")])).toEqual(
    [],
  );
  const raised = setting(30, "work_mem", "64MB");
  expect(await history.saveSettings([setting(30, "shared_buffers", "1GB"), raised])).toEqual([
    { before: first[0], after: raised },
  ]);
  // There and back again within one call.
  const back = [setting(40, "work_mem", "4MB"), setting(50, "work_mem", "64MB")];
  expect(await history.saveSettings(back)).toEqual([
    { before: raised, after: back[0] },
    { before: back[0], after: back[1] },
  ]);
  expect(await history.readSettings(at(9))).toEqual([]);
  expect(await history.readSettings(at(35))).toEqual([first[1], raised]);
  expect(await history.readSettings(at(45))).toEqual([first[1], back[0]]);
});

test("ledger: what a range added to totals, over a start from nothing too", async () => {
  const stored = (items: number) => ({ signal: "traces", outcome: "stored", reason: "", items });
  const full = (items: number) => ({ signal: "traces", outcome: "rejected", reason: "wal-full", items });
  await history.saveLedger([stored(100), full(3)], at(60));
  await history.saveLedger([stored(250), full(3)], at(120));
  // A log that was deleted begins anew.
  await history.saveLedger([stored(40)], at(180));
  await history.saveLedger([stored(45)], at(240));
  // By hand: 100 + 150 + 40 + 5, and 3.
  expect(await history.readLedger(range(0, 300))).toEqual([full(3), stored(295)]);
  expect(await history.readLedger(range(100, 200))).toEqual([stored(190)]);
  expect(await history.readLedger(range(200, 210))).toEqual([]);
});

describe("calls between services", () => {
  // Two hours: a call a second in the first, one every ten seconds in the second; the first of all is a minute before.
  const starts = [
    -60,
    ...Array.from({ length: 600 }, (_, i) => i),
    ...Array.from({ length: 60 }, (_, i) => 3600 + 10 * i),
  ];
  /** of the drawn spans' base, which is 8000 s after NOON */
  const offset = (seconds: number): number => (seconds - 8000) * 1e9;
  const spans = spansFromRows(
    starts.flatMap((start, i) => [
      {
        trace: i + 1,
        id: 2 * i + 1,
        parent: 0,
        startNs: offset(start),
        endNs: offset(start) + 9e6,
        service: "web",
        name: "GET /",
        kind: 3,
      },
      {
        trace: i + 1,
        id: 2 * i + 2,
        parent: 2 * i + 1,
        startNs: offset(start) + 1e6,
        endNs: offset(start) + 3e6,
        service: "db",
        name: "select",
        kind: 2,
        isError: i % 100 === 0,
      },
    ]),
  );
  const edge = (count: number, errors: number): object => ({
    caller: "web",
    callee: "db",
    operation: "select",
    count,
    errors,
    sumNs: count * 2e6,
  });

  beforeAll(() => store.insertSpans(spans, "calls"));

  test("are the same from the rollup, from the join, and from both", async () => {
    const windows: [number, number, object][] = [
      [-3600, 7200, edge(661, 7)],
      [0, 3600, edge(600, 6)],
      [-60, 3720, edge(613, 7)],
      [120, 180, edge(60, 0)],
    ];
    const ask = async (): Promise<unknown[]> =>
      Promise.all(windows.map(async ([from, to]) => (await store.edges(range(from, to))).edges));
    const expected = windows.map(([, , row]) => [row]);
    expect(await ask()).toEqual(expected);
    // The hour that is not over is left.
    expect(await store.rollUpEdges(range(-3600, 7199))).toBe(2);
    expect(await ask()).toEqual(expected);
    expect(await store.rollUpEdges(range(-3600, 7200))).toBe(1);
    expect(await store.rollUpEdges(range(-3600, 7200))).toBe(0);
    expect(await ask()).toEqual(expected);
    expect((await store.edges(range(-3600, 7200))).traceShare).toBe(1);
  });

  test("are not counted twice by a roll-up that was cut off before its note", async () => {
    const link = new Link({ urls: [embedded.engine.url], ...embedded.engine.writer, database: "longpole" });
    await link.command("TRUNCATE TABLE longpole.edge_hours");
    await link.close();
    expect(await store.rollUpEdges(range(-3600, 7200))).toBe(3);
    expect((await store.edges(range(-3600, 7200))).edges).toEqual([edge(661, 7)]);
  });

  test("are not counted twice by a try after one that was cut off, though spans came meanwhile", async () => {
    const HOUR_AT = 4 * 3600;
    /** As many traces of a call each, from an id on. */
    const traces = (first: number, count: number, name: string): ReturnType<typeof spansFromRows> =>
      spansFromRows(
        Array.from({ length: 2 * count }, (_, i) => ({
          trace: first + (i >> 1),
          id: 2 * (first + (i >> 1)) + (i % 2),
          parent: i % 2 === 0 ? 0 : 2 * (first + (i >> 1)),
          startNs: offset(HOUR_AT + (i >> 1)),
          endNs: offset(HOUR_AT + (i >> 1)) + 1e6,
          service: i % 2 === 0 ? "web" : "db",
          name: i % 2 === 0 ? "GET /" : name,
          kind: 2,
        })),
      );
    const link = new Link({ urls: [embedded.engine.url], ...embedded.engine.writer, database: "longpole" });
    const hour = range(HOUR_AT, HOUR_AT + 3600);
    let inserts = 0;
    const cutOff = {
      insertRows: link.insertRows.bind(link),
      command: async (...asked: Parameters<Link["command"]>): Promise<void> => {
        if (++inserts === 2) throw new Error("cut off");
        await link.command(...asked);
      },
    } as unknown as Link;
    const counts = (through: Link): EdgeCounts =>
      new EdgeCounts(
        through,
        "longpole",
        {
          rows: (query, options) => link.rows(query, { settings: { distributed_product_mode: "local" }, ...options }),
          countSpans: (of) => store.spansIn(of),
        },
        { async_insert: 0 },
        400,
      );
    // 600 spans in joins of 400 are two parts; with 700 more they would be four.
    await store.insertSpans(traces(10_000, 300, "early"), "early calls");
    await expect(counts(cutOff).rollUp(hour, {})).rejects.toThrow("cut off");
    await store.insertSpans(traces(20_000, 350, "late"), "late calls");
    expect(await counts(link).rollUp(hour, {})).toBe(1);
    const [upper] = await link.rows<{ late: number }>(
      "SELECT toUInt32(count()) AS late FROM longpole.spans WHERE name = 'late' AND cityHash64(trace_id) >= 9223372036854775808",
    );
    const { edges } = await store.edges(hour);
    expect(edges.map(({ operation, count }) => [operation, count])).toEqual([
      ["early", 300],
      // Those in the part that was counted when they were there.
      ["late", upper!.late],
    ]);
    expect(upper!.late).toBeGreaterThan(100);
    await link.close();
  });
});
