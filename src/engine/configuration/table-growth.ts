import { growthOf } from "../../analysis/steady-growth.ts";
import { steadySlope } from "../../analysis/time-to-limit.ts";
import type { DatabaseStatistics, TableStatistics } from "../database/database-statistics.ts";
import { KEPT_SHARE, size } from "../database/statement-reading.ts";
import { NOTHING, together, type CheckResult, type ConfigurationCheck } from "./configuration-check.ts";
import { namedServer } from "./per-server.ts";

/** As steady as this, Kendall's tau. */
const STEADY = 0.85;
/** Smaller ones are read in a blink, however they grow. */
const MIN_BYTES = 8 * 2 ** 20;
/** Growth within the window below this share is the usual up and down. */
const MIN_GROWTH = 0.1;
/** A line seen for ten minutes tells of the next three hours, not of the next week. */
const REACH = 20;

/** Tables that grow all the time: how fast, and when the cache is too small for them. */
export const tableGrowth: ConfigurationCheck = {
  what: "tables that grow",
  run: ({ database }) =>
    database === undefined
      ? NOTHING
      : together(database.tables.map((table) => namedServer(judge(table, database), database, table))),
};

function judge(table: TableStatistics, { databases }: DatabaseStatistics): CheckResult {
  const { sizes, sizeStepSeconds, server, database } = table;
  const slope = sizeStepSeconds > 0 ? steadySlope(sizes, sizeStepSeconds) : undefined;
  const growth = growthOf(sizes);
  if (slope === undefined || growth === undefined || slope.last < MIN_BYTES || slope.restarts > 0) return NOTHING;
  const isGrowing = slope.low > 0 && growth.tau >= STEADY && slope.value * slope.seconds >= MIN_GROWTH * slope.last;
  if (!isGrowing) return NOTHING;
  const buffers =
    databases.find((one) => one.server === server && one.database === database)?.settings.get("shared_buffers") ??
    Number.NaN;
  const until = (bytes: number): string => {
    const left = (bytes - slope.last) / slope.value;
    return left <= REACH * slope.seconds
      ? `in ${span(left)}`
      : `further away than ${span(slope.seconds)} of observation can tell`;
  };
  const limits: [string, number][] = [
    ["a quarter of shared_buffers, beyond which a scan of the whole table is not kept there", KEPT_SHARE * buffers],
    ["shared_buffers", buffers],
  ];
  const told = limits
    .filter(([, bytes]) => bytes > 0)
    .map(([what, bytes]) =>
      slope.last > bytes
        ? `it is larger than ${what} (${size(bytes)})`
        : `it is larger than ${what} (${size(bytes)}) ${until(bytes)}`,
    );
  const rate = `${table.table} grows by ${size(slope.value * 60)} a minute (${size(slope.low * 60)}–${size(slope.high * 60)}), from ${size(sizes[0]!)} to ${size(slope.last)}`;
  return {
    problems: [
      {
        kind: "growth",
        service: database,
        resource: `table:${table.table}`,
        setting: "size of the table",
        mechanism: "data-growth",
        saidAs: new Set(["slow-query", "missing-index", "data-growth"] as const),
        table: table.table,
        arithmetic: [`${rate}: twice as large ${until(2 * slope.last)}`, ...told].join("; "),
        title: `${table.table} in ${database} grows by ${size(slope.value * 60)} a minute`,
        remedy:
          "Delete or partition what is old; a statement that reads the table whole takes longer with each row: an index keeps it as it is.",
        reference: "slope by Theil and Sen (1968)",
        query: "pg_table_size over time (postgresql.table.size)",
        refutedBy: "it levels off, or a job fills it that ends",
        confidence: 0.8,
      },
    ],
    fine: [],
  };
}

/** "41 min", "3.2 h", "2.5 days". */
function span(seconds: number): string {
  if (seconds < 5400) return `${Math.max(1, Math.round(seconds / 60))} min`;
  return seconds < 172_800
    ? `${Number((seconds / 3600).toPrecision(2))} h`
    : `${Number((seconds / 86_400).toPrecision(2))} days`;
}
