import { expect, test } from "vitest";
import type { Finding } from "../../model/report.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { diagnose } from "../diagnose.ts";
import { buildWindow } from "../window.ts";
import { readDatabaseStatistics } from "./database-statistics.ts";
import { withHeldFor } from "./held-connections.ts";
import { spansFromRows } from "../../testing/spans-from-rows.ts";

/** Snapshots of a statement: at a second, calls, seconds, rows and pages so far. */
function snapshots(
  statement: string,
  ...all: readonly (readonly [at: number, ...counters: number[]])[]
): SeriesObject[] {
  return ["calls", "time", "rows", "blocks_hit", "blocks_read"].map((counter, i) => ({
    name: `postgresql.statement.${counter}`,
    kind: "sum",
    temporality: "cumulative",
    monotonic: true,
    resource: { "postgresql.database.name": "shop" },
    labels: { "db.query.text": statement },
    points: all.map(([at, ...counters]) => [at, counters[i] ?? 0] as const),
  }));
}

const findings = async (...series: SeriesObject[]): Promise<readonly Finding[]> =>
  (await diagnose({ spans: spansFromRows([]), metrics: metricTableOf(...series) })).findings;

const LOOK_UP = "SELECT id FROM orders WHERE customer = $1";

test("between two snapshots: a look-up that reads thousands of pages for a row, and what it does of all", async () => {
  const [finding, ...others] = await findings(
    ...snapshots(LOOK_UP, [0, 100, 10, 100, 270_000], [100, 1100, 35, 1100, 2_970_000]),
    // New in the second: all of it is of the window.
    ...snapshots("SELECT name FROM customers WHERE id = $1", [100, 5000, 5, 5000, 20_000]),
  );
  // 1,000 calls in 25 s of 30 s; 2,700,000 pages.
  expect(finding).toMatchObject({
    mechanism: "missing-index",
    severity: "warning",
    subject: { service: "shop", operation: "SELECT orders", resource: "table:orders" },
    impact: { metric: "mean", now: 25, predicted: 2.5 },
    remedy: { change: "CREATE INDEX CONCURRENTLY ON orders (customer)" },
  });
  expect(finding!.title).toContain("reads 2,700 pages for each call: 83 % of the time of shop");
  expect(others.map(({ severity }) => severity)).toEqual(["note"]);
});

test("one snapshot says that it tells totals since the reset, and alarms nobody", async () => {
  const [finding] = await findings(...snapshots(LOOK_UP, [0, 100, 10, 100, 270_000]));
  expect(finding!.severity).toBe("note");
  expect(finding!.evidence[0]!.text).toContain("100 calls since its counters were reset");
  expect(finding!.counter.join()).toContain("two tell what happens now");
});

test.each([
  ["by an index", [0, 0, 0, 0, 0], [100, 1000, 25, 1000, 4000]],
  ["many rows on purpose", [0, 0, 0, 0, 0], [100, 1000, 25, 1_000_000, 2_700_000]],
  ["of a database that is idle", [0, 0, 0, 0, 0], [100, 10, 0.25, 10, 27_000]],
] as const)("a statement that reads %s is a note", async (_, first, second) => {
  const [finding] = await findings(...snapshots(LOOK_UP, first, second));
  expect(finding!.severity).toBe("note");
});

test("counters that fell count from zero", async () => {
  const [finding] = await findings(
    ...snapshots(LOOK_UP, [0, 5000, 500, 5000, 9e6], [50, 100, 3, 100, 270_000], [100, 200, 6, 200, 540_000]),
  );
  expect(finding!.evidence[0]!.text).toContain("shop counts 200 calls, 30.0 ms each");
});

test("a full pool is told what its connections are held for, where one statement takes most of the time", async () => {
  const window = await buildWindow(spansFromRows([]), async () => {});
  const pool = {
    mechanism: "pool-exhausted",
    chain: [],
    evidence: [],
    remedy: { text: "Give the pool more connections." },
    subject: { service: "orders", resource: "pool:shop" },
  } as unknown as Parameters<typeof withHeldFor>[0];
  const of = (mine: number, other: number, database = "shop", explanation = pool) =>
    withHeldFor(
      explanation,
      database,
      window,
      readDatabaseStatistics(
        metricTableOf(
          ...snapshots(LOOK_UP, [0, 0, 0, 0, 0], [100, 1000, mine, 1000, 2_700_000]),
          ...snapshots("SELECT name FROM customers WHERE id = $1", [0, 0, 0, 0, 0], [100, 10, other, 10, 40]),
          {
            name: "postgresql.sequential_scans",
            kind: "sum",
            temporality: "cumulative",
            monotonic: true,
            resource: { "postgresql.database.name": "shop", "postgresql.table.name": "public.orders" },
            points: [
              [0, 0],
              [100, 1000],
            ],
          },
        ),
      )!,
      new Set(),
    );
  const told = of(30, 10);
  expect(told.remedy.text).toBe(
    "First make faster what holds the connections: CREATE INDEX CONCURRENTLY ON orders (customer). Give the pool more connections.",
  );
  expect(told.chain[0]!.claim).toContain("75 % of the time of shop is for SELECT id FROM orders");
  expect(told.evidence).toHaveLength(2);
  // Not scanned, so nothing is known to do about it.
  expect(of(10, 30).remedy.text).toContain("what holds the connections: SELECT name FROM customers WHERE id = ?.");
  expect(of(30, 10, "archive")).toBe(pool);
  // Where requests wait for connections, what holds them is the cause.
  const cause = of(30, 10, "shop", { ...pool, harmful: true });
  expect(cause).toMatchObject({ mechanism: "missing-index", subject: { service: "shop", resource: "table:orders" } });
  expect(cause.title).toBe(
    "looking up rows of orders reads all of it each time and holds the connections of orders: an index on (customer) is missing",
  );
});
