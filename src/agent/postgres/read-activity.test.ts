import { expect, test } from "vitest";
import { ActivityTally } from "./activity-tally.ts";
import { readActivity } from "./read-activity.ts";
import type { Row } from "./rows.ts";

const CATALOG = {
  version: "18.1",
  columns: new Map([["pg_stat_activity", new Set(["query_id"])]]),
  statementsSchema: undefined,
  startedUnixMs: 0,
  blockBytes: 8192,
  role: { isSuperuser: false, writableTables: 0, seesAll: true },
  counting: new Map<string, string>(),
};
const row = (pid: number, busy: number): Row => ({
  pid,
  state: "active",
  type: "IO",
  event: "DataFileRead",
  app: "shop",
  id: "7",
  query: "SELECT 1",
  xact: 2,
  statement: 1,
  busy,
});

test("sessions beyond those that are read are counted, look by look", async () => {
  const tally = new ActivityTally();
  for (const rows of [[row(1, 5), row(2, 5)], [row(1, 1)], []]) {
    const activity = await readActivity({ rows: async () => rows }, CATALOG);
    tally.add(activity, [], 1, () => "SELECT ?");
  }
  const tallied = tally.take();
  const of = (name: string): number[] => tallied.filter((one) => one.name === name).map(({ value }) => value);
  expect(of("postgresql.wait.looks")).toEqual([3]);
  expect(of("postgresql.wait.left_out")).toEqual([3]);
  // Two sessions for a second, one for another.
  expect(of("postgresql.wait.time")).toEqual([3]);
});
