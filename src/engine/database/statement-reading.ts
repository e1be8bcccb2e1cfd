import { statementShape } from "../../analysis/statement.ts";
import { count, ms, percent, plural, times } from "../wording.ts";
import type { DatabaseStatistics, LockWait, StatementStatistics, TableStatistics } from "./database-statistics.ts";
import type { WaitKind } from "./wait-kind.ts";

/** What a database says of one statement that spans show. */
export interface StatementReading {
  readonly told: StatementStatistics;
  /** the table that it reads or writes, where its statistics are known */
  readonly table: TableStatistics | undefined;
  readonly locks: readonly LockWait[];
  /** seconds of all statements of its database */
  readonly databaseSeconds: number;
  /** bytes of its own cache; NaN where it does not tell */
  readonly sharedBuffers: number;
}

/** The statement of a span in the database's own statistics; texts that the collector cut match by their beginning. */
export function readingOf(
  statement: string,
  database: string,
  { statements, tables, lockWaits, databases }: DatabaseStatistics,
): StatementReading | undefined {
  const same = statements.filter(
    ({ statement: text }) => text === statement || (text.endsWith("…") && statement.startsWith(text.slice(0, -1))),
  );
  // Of several servers with a database of this name, the one that is at it for longest: spans seldom tell which.
  // Spans may name the server instead of the database: a statement that only one database tells is of that one.
  const told = same.find((one) => one.database === database) ?? (isOne(same) ? same[0] : undefined);
  if (told === undefined) return undefined;
  const name = statementShape(statement).table.toLowerCase();
  const isNamed = (table: string): boolean => table.toLowerCase() === name || bare(table) === bare(name);
  const isThere = (one: { server: string; database: string }): boolean =>
    one.server === told.server && one.database === told.database;
  const own = databases.find(isThere);
  return {
    told,
    table: tables.find((one) => isThere(one) && name !== "" && isNamed(one.table)),
    locks: lockWaits.filter((one) => isThere(one) && one.statement === told.statement),
    databaseSeconds: own?.statementSeconds ?? Number.NaN,
    sharedBuffers: own?.settings.get("shared_buffers") ?? Number.NaN,
  };
}

/** Whether they are one statement of one database, on however many servers; texts that were cut may be several. */
const isOne = (same: readonly StatementStatistics[]): boolean =>
  new Set(same.map(({ database }) => database)).size === 1 &&
  new Set(same.map(({ server }) => server)).size === same.length;

/** "public.records" is "records" in most statements. */
export const bare = (table: string): string => table.slice(table.lastIndexOf(".") + 1).toLowerCase();

/** Looks that found somebody at the statement: with fewer the shares are chance. */
const MIN_SAMPLES = 10;

/** Share of the statement's sampled time by kind; undefined where it was met too seldom. */
export function waitShares({ waits }: StatementStatistics): ReadonlyMap<WaitKind, number> | undefined {
  const working = waits.filter(({ kind }) => kind !== "idle");
  const samples = working.reduce((sum, one) => sum + one.samples, 0);
  const seconds = working.reduce((sum, one) => sum + one.seconds, 0);
  if (samples < MIN_SAMPLES || !(seconds > 0)) return undefined;
  const shares = new Map<WaitKind, number>();
  for (const one of working) shares.set(one.kind, (shares.get(one.kind) ?? 0) + one.seconds / seconds);
  return shares;
}

/** Whether the table is read whole by the statement: by its plan, or as often as the statement is called. */
export function scansTable({ told, table }: StatementReading): "yes" | "no" | "unknown" {
  if (told.scans.some((scan) => table === undefined || bare(scan.table) === bare(table.table))) return "yes";
  if (table === undefined || !(told.calls >= MIN_SAMPLES) || Number.isNaN(table.sequentialScans)) return "unknown";
  // Other statements may scan it as well, so that many scans are no proof; without any it is not scanned.
  if (table.sequentialScans < 0.05 * told.calls) return "no";
  return table.sequentialScans >= 0.5 * told.calls ? "yes" : "unknown";
}

/** A statement that reads by an index touches some pages for each row: a tree has three or four levels. */
const PAGES_PER_ROW = 100;
/** 8 MB: fewer are read in some milliseconds. */
const PAGES = 1000;

/** Whether it reads many pages for the few rows that it returns, and not to add them up. */
export function readsTooMuch({ statement, blocks, calls, rows }: StatementStatistics): boolean {
  const pages = blocks / calls;
  return pages >= PAGES && pages >= PAGES_PER_ROW * Math.max(1, rows / calls) && !statementShape(statement).heavy;
}

/** The statement's own counters in a sentence. */
export function countersText({ told, databaseSeconds }: StatementReading): string {
  const share = told.seconds / databaseSeconds;
  const parts = [
    `${told.database} counts ${plural(Math.round(told.calls), "call")}${told.isSinceReset ? " since its counters were reset" : ""}, ${ms((1e9 * told.seconds) / told.calls)} each`,
    ...(share > 0 ? [`${percent(share)} of the time of all its statements`] : []),
    ...(told.blocks > 0
      ? [
          `${count(Math.round(told.blocks / told.calls))} pages read for ${plural(rounded(told.rows / told.calls), "row")} each time`,
        ]
      : []),
    ...(told.tempBlocks > 0 ? [`${count(Math.round(told.tempBlocks / told.calls))} pages of temporary files`] : []),
  ];
  return parts.join("; ");
}

const rounded = (value: number): number => Number(value.toFixed(value < 9.95 ? 1 : 0));

/** A scan of a larger table takes a ring of 256 kB instead of the cache (src/backend/access/heap/heapam.c, initscan). */
export const KEPT_SHARE = 0.25;

export function scansText({ table, told, sharedBuffers }: StatementReading): string | undefined {
  const [scan] = told.scans;
  const planned = scan === undefined ? "" : `its plan scans ${scan.table} (cost ${count(Math.round(scan.cost))})`;
  if (table === undefined || Number.isNaN(table.sequentialScans)) return planned || undefined;
  const { sequentialScans: scans, sequentialRows: rows, indexScans } = table;
  const each = scans > 0 && rows > 0 ? `, ${count(Math.round(rows / scans))} rows each time` : "";
  const byIndex =
    indexScans === 0 ? "and never by an index" : `and ${plural(Math.round(indexScans), "time")} by an index`;
  // Of such a table nothing that a scan reads stays in the cache for the next one.
  const passes =
    scans > 0 && table.lastBytes > KEPT_SHARE * sharedBuffers
      ? `; with ${size(table.lastBytes)} it is larger than a quarter of shared_buffers (${size(sharedBuffers)}), so that scans pass the cache by`
      : "";
  const counted = `${table.table} was read from beginning to end ${plural(Math.round(scans), "time")}${each}, ${byIndex}`;
  return planned === "" ? counted + passes : `${counted}${passes}; ${planned}`;
}

export function growthText({ table }: StatementReading): string | undefined {
  if (table === undefined || !(table.lastBytes > 1.2 * table.firstBytes)) return undefined;
  return `${table.table} grew from ${size(table.firstBytes)} to ${size(table.lastBytes)} on the disk (${times(table.lastBytes / table.firstBytes)})`;
}

export function waitsText({ told }: StatementReading): string | undefined {
  const shares = waitShares(told);
  if (shares === undefined) return undefined;
  const working = told.waits.filter(({ kind }) => kind !== "idle");
  const all = working.reduce((sum, one) => sum + one.seconds, 0);
  const parts = working.slice(0, 3).map(({ event, seconds }) => `${percent(seconds / all)} ${event}`);
  const samples = working.reduce((sum, one) => sum + one.samples, 0);
  return `sessions were seen at it ${plural(Math.round(samples), "time")}: ${parts.join(", ")}`;
}

export function size(bytes: number): string {
  const [unit, factor] = bytes >= 2 ** 30 ? ["GB", 2 ** 30] : ["MB", 2 ** 20];
  return `${(bytes / Number(factor)).toPrecision(3)} ${unit}`;
}
