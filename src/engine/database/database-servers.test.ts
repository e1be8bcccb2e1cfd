import { expect, test } from "vitest";
import { normaliseStatement } from "../../analysis/statement.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { postgresGauge, postgresTotal } from "../../testing/postgres-figures.ts";
import { serverName, statisticsAt } from "./database-servers.ts";
import { readDatabaseStatistics } from "./database-statistics.ts";
import { readingOf } from "./statement-reading.ts";

const MB = 2 ** 20;
const STATEMENT = "SELECT * FROM records WHERE owner = $1";

/** What one server tells of "shop": a table of so many MB with an index of 10, its cache, blocks and calls in a minute. */
function told(
  identity: Record<string, string>,
  { tableMB = 100, buffersMB = 128, blocks = 6000, calls = 60 } = {},
): SeriesObject[] {
  const resource = { ...identity, "postgresql.database.name": "shop" };
  const table = { ...resource, "postgresql.table.name": "public.records" };
  const statement = { resource, labels: { "db.query.text": STATEMENT } };
  return [
    postgresGauge("table.size", tableMB * MB, { resource: table }),
    postgresGauge("index.size", 10 * MB, {
      resource: { ...table, "postgresql.index.name": "records_pkey" },
    }),
    postgresGauge("setting.shared_buffers", buffersMB * MB, { resource }),
    postgresTotal("blocks_read", blocks, { resource: table, labels: { source: "heap_read" } }),
    postgresTotal("statement.calls", calls, statement),
    postgresTotal("statement.time", calls / 10, statement),
  ];
}

const byInstance = (name: string): Record<string, string> => ({ "service.instance.id": name });

test.each<[string, Record<string, string>, Record<string, string>]>([
  ["as the collector names them", byInstance("db1:5432/shop"), byInstance("db2:5432/shop")],
  [
    "by address and port",
    { "server.address": "db", "server.port": "5432" },
    { "server.address": "db", "server.port": "5433" },
  ],
  ["by their machines", { "host.name": "db1" }, { "host.name": "db2" }],
])("two servers with a database of one name are two, %s", (_, first, second) => {
  const statistics = readDatabaseStatistics(
    metricTableOf(...told(first), ...told(second, { tableMB: 300, buffersMB: 4096, blocks: 600, calls: 6000 })),
  )!;
  const { tables, databases, statements } = statistics;
  // Each has its own index of 10 MB, and its own blocks; the sizes are not those of who came last.
  expect(tables.map(({ lastBytes, indexBytes, blocks }) => [lastBytes / MB, indexBytes / MB, blocks])).toEqual([
    [100, 10, 6000],
    [300, 10, 600],
  ]);
  expect(databases.map(({ settings }) => settings.get("shared_buffers")! / MB)).toEqual([128, 4096]);
  expect(statements.map(({ calls }) => calls)).toEqual([6000, 60]);
  // 60 calls of 0.1 s each, of the one server alone.
  for (const { server } of databases) expect(statisticsAt(statistics, "shop", server)!.tables).toHaveLength(1);
  expect(statisticsAt(statistics, "shop", databases[0]!.server)!.databases[0]!.statementSeconds).toBeCloseTo(6);
  // What is read of a statement is of one server: the one that is at it for longest, with its own cache.
  const reading = readingOf(normaliseStatement(STATEMENT), "shop", statistics)!;
  expect([reading.told.calls, reading.sharedBuffers / MB, reading.table!.lastBytes / MB]).toEqual([6000, 4096, 300]);
  expect(reading.databaseSeconds).toBeCloseTo(600);
});

test("the only server of a database is it, whatever others call it", () => {
  const statistics = readDatabaseStatistics(metricTableOf(...told(byInstance("db1:5432/shop"))))!;
  expect(statisticsAt(statistics, "shop", "10.0.0.1:9187")).toBe(statistics);
  expect(statisticsAt(undefined, "shop", "db1:5432/shop")).toBeUndefined();
});

test("a server is called by its address", () => {
  expect(serverName("db1:5432/shop", "shop")).toBe("db1:5432");
  expect(serverName("db1:5432/shop", "users")).toBe("db1:5432/shop");
  expect(serverName("", "shop")).toBe("a server without a name");
});
