import { expect, test } from "vitest";
import { normaliseStatement } from "../../analysis/statement.ts";
import { metricTableOf } from "../../testing/metric-table.ts";
import { postgresGauge, postgresTotal } from "../../testing/postgres-figures.ts";
import { readDatabaseStatistics } from "./database-statistics.ts";
import { readingOf, scansText } from "./statement-reading.ts";

const MB = 2 ** 20;
const STATEMENT = "SELECT * FROM records WHERE owner = $1";

/** What is said of the scans of a table of 100 MB, with so large a cache. */
function saidWith(sharedBuffers: number | undefined, scans: number): string | undefined {
  const resource = { "postgresql.database.name": "shop" };
  const table = { ...resource, "postgresql.table.name": "public.records" };
  const statistics = readDatabaseStatistics(
    metricTableOf(
      postgresTotal("statement.calls", scans, { resource, labels: { "db.query.text": STATEMENT } }),
      postgresTotal("sequential_scans", scans, { resource: table }),
      postgresTotal("table.sequential_rows", 1000 * scans, { resource: table }),
      postgresTotal("table.index_scans", 0, { resource: table }),
      postgresGauge("table.size", 100 * MB, { resource: table }),
      ...(sharedBuffers === undefined ? [] : [postgresGauge("setting.shared_buffers", sharedBuffers, { resource })]),
    ),
  );
  return scansText(readingOf(normaliseStatement(STATEMENT), "shop", statistics!)!);
}

test("a table beyond a quarter of the cache is read past it: the server's own rule", () => {
  const counted = "public.records was read from beginning to end 50 times, 1,000 rows each time, and never by an index";
  expect(saidWith(128 * MB, 50)).toBe(
    `${counted}; with 100 MB it is larger than a quarter of shared_buffers (128 MB), so that scans pass the cache by`,
  );
  expect(saidWith(400 * MB, 50)).toBe(counted);
  expect(saidWith(undefined, 50)).toBe(counted);
  expect(saidWith(128 * MB, 0)).not.toContain("cache");
});
