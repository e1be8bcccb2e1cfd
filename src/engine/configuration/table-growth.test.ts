import { expect, test } from "vitest";
import { SpanTableBuilder } from "../../model/span-table-builder.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { readDatabaseStatistics } from "../database/database-statistics.ts";
import { buildWindow } from "../window.ts";
import type { CheckResult, ConfigurationCheck } from "./configuration-check.ts";
import { replicaLag } from "./replica-lag.ts";
import { tableGrowth } from "./table-growth.ts";

const MB = 2 ** 20;

async function run(check: ConfigurationCheck, ...series: readonly SeriesObject[]): Promise<CheckResult> {
  const window = await buildWindow(new SpanTableBuilder().finish().table, async () => {});
  const database = readDatabaseStatistics(metricTableOf(...series));
  return check.run({ window, views: [], resources: undefined, ...(database === undefined ? {} : { database }) });
}

/** A figure each minute for ten minutes. */
const figure = (
  name: string,
  of: (minute: number) => number,
  more: { resource?: Record<string, string>; labels?: Record<string, string>; isTotal?: boolean } = {},
): SeriesObject => ({
  name: `postgresql.${name}`,
  kind: more.isTotal === true ? "sum" : "gauge",
  ...(more.isTotal === true ? { temporality: "cumulative" as const, monotonic: true } : {}),
  resource: { "service.name": "postgresql", "postgresql.database.name": "shop", ...more.resource },
  labels: more.labels ?? {},
  points: Array.from({ length: 11 }, (_, i) => [60 * i, of(i)] as const),
});
const table = { resource: { "postgresql.table.name": "public.records" } };
const size = (of: (minute: number) => number): SeriesObject => figure("table.size", of, table);
const buffers = (bytes: number): SeriesObject => figure("setting.shared_buffers", () => bytes);

test("how fast a table grows, and when the cache is too small for it, by hand", async () => {
  // 2 MB a minute, at the end 98 MB, the middle of the last three: twice that in 98 / 2 = 49 min.
  const { problems } = await run(
    tableGrowth,
    size((i) => (80 + 2 * i) * MB),
    buffers(512 * MB),
  );
  expect(problems).toMatchObject([
    {
      service: "shop",
      mechanism: "data-growth",
      kind: "growth",
      table: "public.records",
      title: "public.records in shop grows by 2.00 MB a minute",
    },
  ]);
  const { arithmetic } = problems[0]!;
  expect(arithmetic).toContain("from 80.0 MB to 98.0 MB: twice as large in 49 min");
  // (128 - 98) / 2 and (512 - 98) / 2 = 207 min, within twenty times the eleven that were seen.
  expect(arithmetic).toContain("is not kept there (128 MB) in 15 min");
  expect(arithmetic).toContain("larger than shared_buffers (512 MB) in 3.5 h");
  expect(problems[0]).not.toHaveProperty("harm");
});

test("what is past already, and what is too far to tell", async () => {
  const { arithmetic } = (
    await run(
      tableGrowth,
      size((i) => (80 + 2 * i) * MB),
      buffers(128 * MB),
    )
  ).problems[0]!;
  expect(arithmetic).toContain(
    "it is larger than a quarter of shared_buffers, beyond which a scan of the whole table is not kept there (32.0 MB);",
  );
  const far = (
    await run(
      tableGrowth,
      size((i) => (80 + 2 * i) * MB),
      buffers(64 * 1024 * MB),
    )
  ).problems[0]!;
  expect(far.arithmetic).toContain("further away than 11 min of observation can tell");
  expect(
    (
      await run(
        tableGrowth,
        size((i) => (80 + 2 * i) * MB),
      )
    ).problems[0]!.arithmetic,
  ).not.toContain("shared_buffers");
});

test("tables of one name on two servers are two, each against its own cache", async () => {
  const on = (server: string): Record<string, string> => ({ "service.instance.id": `${server}/shop` });
  const told = (server: string, of: (minute: number) => number, bufferMB: number): SeriesObject[] => [
    figure("table.size", of, { resource: { ...on(server), ...table.resource } }),
    figure("setting.shared_buffers", () => bufferMB * MB, { resource: on(server) }),
  ];
  const { problems } = await run(
    tableGrowth,
    ...told("db1:5432", (i) => (80 + 2 * i) * MB, 64),
    ...told("db2:5432", () => 100 * MB, 8192),
    ...told("db3:5432", (i) => (80 + 4 * i) * MB, 8192),
  );
  expect(problems.map(({ resource, title }) => [resource, title])).toEqual([
    ["table:public.records on db1:5432", expect.stringMatching(/ 2\.00 MB a minute \(db1:5432\)$/)],
    ["table:public.records on db3:5432", expect.stringMatching(/ 4\.00 MB a minute \(db3:5432\)$/)],
  ]);
  expect(problems[0]!.arithmetic).toContain("it is larger than shared_buffers (64.0 MB)");
});

test.each<[string, (minute: number) => number]>([
  ["stands still", () => 100 * MB],
  ["goes up and down", (i) => (100 + 20 * (i % 2)) * MB],
  ["is small", (i) => (1 + i / 5) * MB],
  ["was emptied", (i) => (i < 5 ? 100 + 2 * i : 10 + 2 * i) * MB],
  ["grows by 5 %", (i) => (200 + i) * MB],
])("a table that %s is no problem", async (_, of) => {
  expect((await run(tableGrowth, size(of), buffers(128 * MB))).problems).toEqual([]);
});

const own = { resource: { "service.instance.id": "db2:5432/shop" } };
const scans = (perMinute: number): SeriesObject =>
  figure("table.index_scans", (i) => perMinute * i, {
    resource: { ...own.resource, ...table.resource },
    isTotal: true,
  });

test("a replica that is behind, and read: harm, by its own statistics", async () => {
  const { problems } = await run(
    replicaLag,
    figure("wal.delay", () => 42, own),
    scans(30),
  );
  expect(problems).toMatchObject([
    {
      service: "shop",
      title: "replica db2:5432/shop is 42 s behind, and is read",
      setting: "max_standby_streaming_delay",
    },
  ]);
  // Thirty a minute for ten minutes.
  expect(problems[0]!.harm!.text).toContain("scanned 300 times meanwhile");
});

test("scans of the primary are none of the replica", async () => {
  const primary = { "service.instance.id": "db1:5432/shop" };
  const there = figure("table.index_scans", (i) => 30 * i, {
    resource: { ...primary, ...table.resource },
    isTotal: true,
  });
  const { problems } = await run(
    replicaLag,
    figure("wal.delay", () => 42, own),
    there,
  );
  expect(problems).toMatchObject([{ title: "replica db2:5432/shop is 42 s behind" }]);
  expect(problems[0]).not.toHaveProperty("harm");
});

test("as its sender tells: who reads is not seen; the way or the replay takes it", async () => {
  const lag = (operation: string, seconds: number): SeriesObject =>
    figure("wal.lag", () => seconds, { labels: { replication_client: "standby 10.0.0.2", operation } });
  const replay = await run(replicaLag, lag("replay", 120), lag("write", 0.2));
  expect(replay.problems).toMatchObject([{ title: "replica standby 10.0.0.2 is 2 min behind" }]);
  expect(replay.problems[0]!.arithmetic).toMatch(/200 ms of it until.*does not keep up.*is not seen/);
  expect(replay.problems[0]).not.toHaveProperty("harm");
  const way = await run(replicaLag, lag("replay", 12), lag("write", 11));
  expect(way.problems).toMatchObject([{ setting: "wal_compression" }]);
});

test("one that keeps up, and one moment of one that does", async () => {
  expect(
    await run(
      replicaLag,
      figure("wal.delay", (i) => (i === 5 ? 60 : 0.02), own),
    ),
  ).toEqual({
    problems: [],
    fine: [{ text: "replica db2:5432/shop: 20 ms behind (median of the window)", tightness: 0.004 }],
  });
});
