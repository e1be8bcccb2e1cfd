import { expect, test } from "vitest";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { spansFromRows } from "../../testing/spans-from-rows.ts";
import { readDatabaseStatistics } from "../database/database-statistics.ts";
import { buildWindow } from "../window.ts";
import type { CheckResult, ConfigurationCheck } from "./configuration-check.ts";
import { idleTransactions, randomPageCost, spillingStatements } from "./postgres-statements.ts";

const resource = { "postgresql.database.name": "shop" };
const SORT = "SELECT id FROM orders ORDER BY total";

const setting = (name: string, value: number): SeriesObject => ({
  name: `postgresql.setting.${name}`,
  kind: "gauge",
  resource,
  points: [[60, value]],
});
const added = (name: string, value: number, labels: Record<string, string>): SeriesObject => ({
  name: `postgresql.${name}`,
  kind: "sum",
  temporality: "delta",
  monotonic: true,
  resource,
  labels,
  points: [{ at: 60, start: 0, value }],
});
const ofStatement = (name: string, value: number): SeriesObject =>
  added(`statement.${name}`, value, { "db.query.text": SORT });

async function checked(check: ConfigurationCheck, ...series: SeriesObject[]): Promise<CheckResult> {
  const database = readDatabaseStatistics(metricTableOf(...series))!;
  const window = await buildWindow(spansFromRows([]), async () => {});
  return check.run({ window, views: [], resources: undefined, database });
}

test("transactions that do nothing hold locks: a timeout, where there is none and somebody waited", async () => {
  const waited = (seconds: number, state = "idle in transaction"): SeriesObject =>
    added("lock.wait.time", seconds, { "db.query.text": "UPDATE t SET n = $1", "postgresql.blocking.state": state });
  const timeout = (seconds: number): SeriesObject => setting("idle_in_transaction_session_timeout", seconds);
  const [problem] = (await checked(idleTransactions, timeout(0), waited(12))).problems;
  expect(problem).toMatchObject({ service: "shop", change: "idle_in_transaction_session_timeout: 0 -> 1min" });
  expect(problem!.harm!.text).toContain("12.0 s");
  for (const series of [
    [timeout(60), waited(12)],
    [timeout(0), waited(0.5)],
    [timeout(0), waited(12, "active")],
  ])
    expect((await checked(idleTransactions, ...series)).problems).toEqual([]);
});

test("the cost of a random page is that of disks, and reads take less than a seek", async () => {
  const reads = (pages: number, seconds: number): SeriesObject[] => [
    ofStatement("blocks_read", pages),
    ofStatement("read_time", seconds),
  ];
  const cost = (value: number): SeriesObject => setting("random_page_cost", value);
  // 10,000 pages in 1 s: 100 µs each.
  const [problem] = (await checked(randomPageCost, cost(4), ...reads(10_000, 1))).problems;
  expect(problem).toMatchObject({ change: "random_page_cost: 4 -> 1.1" });
  expect(problem!.arithmetic).toContain("100 µs (10,000 reads)");
  expect(problem!.harm).toBeUndefined();
  expect((await checked(randomPageCost, cost(1.1), ...reads(10_000, 1))).problems).toEqual([]);
  expect((await checked(randomPageCost, cost(4), ...reads(10_000, 60))).problems).toEqual([]);
  expect(await checked(randomPageCost, cost(4), ...reads(100, 0.01))).toEqual({ problems: [], fine: [] });
});

test("the statement that spills is named, with the memory that it needs", async () => {
  const { problems } = await checked(
    spillingStatements,
    setting("work_mem", 4 * 2 ** 20),
    ofStatement("calls", 10),
    // 1,280 pages of 8 kB a call are 10 MB; twice that and the 4 MB there are: 24 MB, at the next power of two 32.
    ofStatement("temp_blocks_written", 12_800),
  );
  expect(problems[0]).toMatchObject({ change: "work_mem: 4 MB -> 32 MB (for this statement)" });
  expect(problems[0]!.arithmetic).toContain("10 MB of temporary files a call (10 calls)");
});
