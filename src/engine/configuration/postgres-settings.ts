import { meanOf, valuesOf, type ServiceMeasure, type ServiceMeasures } from "../resources/service-measures.ts";
import { count, percent } from "../wording.ts";
import type { DatabaseStatistics } from "../database/database-statistics.ts";
import { NOTHING, type CheckResult, type ConfigurationCheck, type SettingProblem } from "./configuration-check.ts";
import { perServer } from "./per-server.ts";

/** Fewer blocks per second are no load of which a ratio says something. */
const MIN_BLOCKS = 100;
/** The documentation's own rule of thumb for a database that fits: 99 of 100 from the cache; below 9 of 10 it does not. */
const MIN_HIT = 0.9;
/** Blocks that lie one after another are read together: a disk is asked less often than blocks are missed. */
const MIN_FROM_DISK = 0.3;
/** Dead rows beyond the fifth at which autovacuum begins by default (autovacuum_vacuum_scale_factor), twice over. */
const MAX_DEAD = 0.4;
const MIN_ROWS = 10_000;

/** What a finding about the database's statements or disk calls the same. */
const OF_DATABASE = ["slow-query", "disk-saturated", "data-growth", "missing-index", "fsync"] as const;

type Problem = Pick<
  SettingProblem,
  "setting" | "arithmetic" | "title" | "remedy" | "reference" | "query" | "refutedBy"
> & {
  readonly change?: string;
  readonly table?: string;
};

/** None of these hurts by itself: they are evidence for a finding about the database, or a note. */
const problemOf = (service: string, problem: Problem): SettingProblem => ({
  ...problem,
  service,
  resource: "database",
  mechanism: "misconfiguration",
  saidAs: new Set(OF_DATABASE),
  confidence: 0.6,
});

/** shared_buffers: how many of the blocks that statements ask for are found in it, and what would have to be. */
export const sharedBuffers: ConfigurationCheck = perServer("database cache", (service, measures, statistics, theCase) =>
  cacheOf(service, measures, statistics, theCase.resources?.now.hosts),
);

function cacheOf(
  service: string,
  measures: readonly ServiceMeasure[],
  statistics: DatabaseStatistics | undefined,
  hosts: ServiceMeasures["hosts"] | undefined,
): CheckResult {
  const [hits, reads] = [rate(measures, "db-buffer-hits"), rate(measures, "db-buffer-reads")];
  const all = hits + reads;
  if (!(all >= MIN_BLOCKS)) return NOTHING;
  const isRare = hits < MIN_HIT * all;
  const missed = missedTable(service, statistics);
  const sum = `${count(Math.round(hits))} of ${count(Math.round(all))} blocks a second come from shared_buffers (${percent(hits / all)})`;
  if (!isRare && missed === undefined)
    return { problems: [], fine: [{ text: `${service}: ${sum}`, tightness: (1 - hits / all) / (1 - MIN_HIT) }] };
  const { change, hot, fits } = sizes(service, rate(measures, "db-buffer-size"), statistics);
  // Nothing is pushed out of it: it is filled for the first time, or scans of large tables pass it by.
  if (fits) return { problems: [], fine: [{ text: `${service}: ${sum}${hot}`, tightness: 1 - hits / all }] };
  const disk = diskOf(measures, reads, hosts);
  const ofTable =
    missed === undefined
      ? ""
      : `; of ${missed.table} ${percent(missed.hit)}, and ${count(Math.round(missed.readPerSecond))} are read`;
  const from =
    `the other ${count(Math.round(reads))} are read from the system's cache or the disk` +
    (disk === undefined
      ? ""
      : `: ${disk.device} of ${disk.host} is asked to read ${count(Math.round(disk.readsPerSecond))} times a second, by this database and whatever else runs there`);
  return {
    problems: [
      {
        ...problemOf(service, {
          setting: "shared_buffers",
          ...change,
          arithmetic: `${sum}${ofTable}; ${from}${hot}`,
          title: isRare
            ? `${service} finds only ${percent(hits / all)} of its blocks in its cache`
            : `${service} finds only ${percent(missed!.hit)} of the blocks of ${missed!.table} in its cache`,
          remedy:
            "Double shared_buffers, up to a quarter of the memory, and see whether the ratio rises; a missing index reads blocks that nobody needs.",
          reference: "PostgreSQL: shared_buffers",
          query: "blks_hit and blks_read of pg_stat_database; pg_statio_user_tables; pg_table_size, pg_indexes_size",
          refutedBy: "the blocks come from the system's cache in microseconds (pg_stat_io)",
        }),
        ...(disk === undefined ? {} : { alsoSaidOf: [disk.host] }),
        // Which statements suffer from one table's misses is not told by a ratio of all.
        ...(isRare ? {} : { saidAs: new Set(["disk-saturated"] as const) }),
      },
    ],
    fine: [],
  };
}

/** What would have to be in the cache, against its size. */
function sizes(
  service: string,
  size: number,
  statistics: DatabaseStatistics | undefined,
): { change: { readonly change?: string }; hot: string; fits: boolean } {
  const tables = readTables(service, statistics);
  const need = tables.reduce((sum, { bytes }) => sum + bytes, 0);
  if (!(size > 0)) return { change: {}, hot: "", fits: false };
  // Twice, but no more than there is to be kept, as far as that is known.
  const wanted = need > 0 ? Math.min(2 * size, 2 ** Math.ceil(Math.log2(need))) : 2 * size;
  const largest = tables.slice(0, 3).map(({ table, bytes }) => `${table} ${mb(bytes)}`);
  return {
    change: { change: `shared_buffers: ${mb(size)} -> ${mb(wanted)}` },
    hot:
      need > 0
        ? `; the tables that were read take ${mb(need)} with their indexes (${largest.join(", ")}), ${(need / size).toFixed(1)} times shared_buffers (${mb(size)})`
        : "",
    fits: need > 0 && need <= size,
  };
}

/** The table of which most blocks had to be read, where those that others ask for hide it in the ratio of all. */
function missedTable(
  database: string,
  statistics: DatabaseStatistics | undefined,
): { table: string; hit: number; readPerSecond: number } | undefined {
  const seconds = statistics?.databases.find((one) => one.database === database)?.seconds ?? Number.NaN;
  const worst = (statistics?.tables ?? [])
    .filter((one) => one.database === database && one.blocks >= MIN_BLOCKS * seconds)
    .filter(({ blocks, blocksRead }) => blocksRead > (1 - MIN_HIT) * blocks)
    .toSorted((a, b) => b.blocksRead - a.blocksRead)[0];
  if (worst === undefined) return undefined;
  const { table, blocks, blocksRead } = worst;
  return { table, hit: 1 - blocksRead / blocks, readPerSecond: blocksRead / seconds };
}

/**
 * The disk of the database's machine that reads most, if it reads about as often as blocks are missed: from the system's
 * cache it would be less. One of them only: volumes and partitions are counted once more by themselves.
 */
function diskOf(
  measures: readonly ServiceMeasure[],
  missed: number,
  hosts: ServiceMeasures["hosts"] | undefined,
): { host: string; device: string; readsPerSecond: number } | undefined {
  const own = measures.find(({ measure }) => measure === "db-buffer-reads")?.instances.map(({ host }) => host);
  return [...new Set(own)]
    .filter((host) => host !== "")
    .flatMap((host) =>
      (hosts?.get(host) ?? [])
        .filter(({ measure }) => measure === "disk-reads")
        .map(({ resource, values }) => ({ host, device: resource, readsPerSecond: meanOf(values) })),
    )
    .filter(({ readsPerSecond }) => readsPerSecond >= MIN_FROM_DISK * missed)
    .toSorted((a, b) => b.readsPerSecond - a.readsPerSecond)[0];
}

/** Tables of which pages were asked for, with their sizes and those of their indexes, the largest first. */
function readTables(database: string, statistics: DatabaseStatistics | undefined): { table: string; bytes: number }[] {
  const own = (statistics?.tables ?? []).filter((one) => one.database === database && one.blocks > 0);
  return own
    .map(({ table, lastBytes, indexBytes }) => ({ table, bytes: lastBytes + indexBytes }))
    .filter(({ bytes }) => bytes > 0)
    .toSorted((a, b) => b.bytes - a.bytes);
}

/** max_wal_size: checkpoints that come because the log is full, not because of the clock. */
export const checkpoints: ConfigurationCheck = perServer("checkpoints", (service, measures) => {
  const [requested, timed] = [rate(measures, "db-checkpoints-requested"), rate(measures, "db-checkpoints-timed")];
  const all = requested + timed;
  if (!(all > 0)) return NOTHING;
  const sum = `${percent(requested / all)} of the checkpoints were asked for since the log was full, the others by the clock`;
  if (requested <= 0.5 * all)
    return { problems: [], fine: [{ text: `${service}: ${sum}`, tightness: requested / all }] };
  return {
    problems: [
      problemOf(service, {
        setting: "max_wal_size",
        change: "max_wal_size: × 2 (until checkpoints come by the clock)",
        arithmetic: `${sum}: one every ${count(Math.round(1 / all))} s`,
        title: `checkpoints of ${service} come because the log is full`,
        remedy:
          "Raise max_wal_size: each checkpoint writes all changed pages, and the first change of each page after it writes the whole page to the log.",
        reference: "PostgreSQL: max_wal_size, WAL configuration",
        query: "pg_stat_bgwriter or pg_stat_checkpointer",
        refutedBy: "they are asked for by backups or by hand",
      }),
    ],
    fine: [],
  };
});

/** work_mem: sorts and hashes that write files since their memory is too small. */
export const workMem: ConfigurationCheck = perServer("spills of the database", (service, measures) => {
  const [files, bytes] = [rate(measures, "db-temp-files"), rate(measures, "db-temp-bytes")];
  if (Number.isNaN(files) && Number.isNaN(bytes)) return NOTHING;
  if (!(files > 0) && !(bytes > 0))
    return { problems: [], fine: [{ text: `${service}: no temporary file was written`, tightness: 0 }] };
  const each = bytes / files;
  const need = Number.isFinite(each) && each > 0 ? 2 ** Math.ceil(Math.log2((2 * each) / 2 ** 20)) : Number.NaN;
  return {
    problems: [
      problemOf(service, {
        setting: "work_mem",
        ...(need > 0 ? { change: `work_mem: -> ${count(Math.max(8, need))} MB (for the statements that spill)` } : {}),
        arithmetic: `${files.toFixed(2)} temporary files a second${each > 0 ? ` of ${mb(each)} each; twice that, since memory takes more than the file` : ""}`,
        title: `sorts and hashes of ${service} do not fit their memory`,
        remedy:
          "Raise work_mem for these statements (SET LOCAL, or the role), not for all: each sort of each connection may take it.",
        reference: "PostgreSQL: work_mem, log_temp_files",
        query: "temp_files and temp_bytes of pg_stat_database",
        refutedBy: "the files are of index builds (maintenance_work_mem)",
      }),
    ],
    fine: [],
  };
});

/** Autovacuum: rows that nobody sees any more, and that every scan reads. */
export const autovacuum: ConfigurationCheck = perServer("dead rows", (service, measures) => {
  const worst = measures
    .filter(({ measure }) => measure === "db-dead-rows")
    .map(({ resource, values }) => {
      const live = meanOf(measures.find((one) => one.measure === "db-rows" && one.resource === resource)?.values);
      const dead = meanOf(values);
      return { table: resource, dead, all: live + dead, share: dead / (live + dead) };
    })
    .filter(({ all }) => all >= MIN_ROWS)
    .toSorted((a, b) => b.share - a.share)[0];
  if (worst === undefined) return NOTHING;
  const { table, dead, all, share } = worst;
  const sum = `${count(Math.round(dead))} of ${count(Math.round(all))} rows of ${table} are dead (${percent(share)})`;
  if (share < MAX_DEAD) return { problems: [], fine: [{ text: `${service}: ${sum}`, tightness: share / MAX_DEAD }] };
  return {
    problems: [
      problemOf(service, {
        setting: "autovacuum_vacuum_scale_factor",
        table,
        change: `ALTER TABLE ${table} SET (autovacuum_vacuum_scale_factor = 0.05)`,
        arithmetic: `${sum}; autovacuum begins at a fifth by default, and does not keep up`,
        title: `${table} in ${service} holds ${percent(share)} dead rows, which every scan reads`,
        remedy:
          "Let autovacuum begin earlier and work faster (autovacuum_vacuum_cost_limit), and end transactions that are open for hours.",
        reference: "PostgreSQL: routine vacuuming",
        query: "n_dead_tup and last_autovacuum of pg_stat_user_tables",
        refutedBy: "a large delete a moment ago, which autovacuum is at work on",
      }),
    ],
    fine: [],
  };
});

const rate = (measures: readonly ServiceMeasure[], measure: ServiceMeasure["measure"]): number =>
  meanOf(valuesOf(measures, measure));
const mb = (bytes: number): string => `${count(Math.max(1, Math.round(bytes / 2 ** 20)))} MB`;
