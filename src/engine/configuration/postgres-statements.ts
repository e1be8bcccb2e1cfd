import { type DatabaseTotals, type DatabaseStatistics } from "../database/database-statistics.ts";
import { count, ms, plural, shorten } from "../wording.ts";
import { statisticsAt } from "../database/database-servers.ts";
import { namedServer } from "./per-server.ts";
import { NOTHING, together, type CheckResult, type ConfigurationCheck } from "./configuration-check.ts";

/** Sessions that waited for less in all met by chance. */
const MIN_WAITED_S = 1;
/** PostgreSQL's default, of disks with arms: a random page is as dear as four in a row. */
const DISK_COST = 4;
/** A seek of a disk takes 4 to 12 ms; what answers within 1 ms has none. */
const NO_SEEK_S = 1e-3;
/** Reads that tell how long one takes. */
const MIN_READS = 1000;
/** PostgreSQL's usual page; a server that was built with others is rare. */
const PAGE_BYTES = 8192;

/** A check of each database that tells of itself. */
const perDatabase = (
  what: string,
  judge: (totals: DatabaseTotals, statistics: DatabaseStatistics) => CheckResult,
): ConfigurationCheck => ({
  what,
  run: ({ database }) =>
    database === undefined
      ? NOTHING
      : together(
          database.databases.map((totals) => {
            const own = statisticsAt(database, totals.database, totals.server)!;
            return namedServer(judge(totals, own), database, totals);
          }),
        ),
});

/** Transactions that hold locks and do nothing, and that no timeout ends. */
export const idleTransactions: ConfigurationCheck = perDatabase(
  "idle transactions",
  ({ database, settings }, { lockWaits }) => {
    const timeout = settings.get("idle_in_transaction_session_timeout");
    if (timeout === undefined) return NOTHING;
    const idle = lockWaits.filter(
      (one) => one.database === database && one.holder?.state.startsWith("idle in transaction") === true,
    );
    const seconds = idle.reduce((sum, one) => sum + one.seconds, 0);
    if (timeout > 0 || seconds < MIN_WAITED_S)
      return {
        problems: [],
        fine: [{ text: `${database}: nobody waited for a transaction that did nothing`, tightness: 0 }],
      };
    const waited = `sessions waited ${ms(1e9 * seconds)} for locks of transactions that ran nothing`;
    return {
      problems: [
        {
          setting: "idle_in_transaction_session_timeout",
          change: "idle_in_transaction_session_timeout: 0 -> 1min",
          service: database,
          resource: "lock",
          mechanism: "misconfiguration",
          saidAs: new Set(["lock-contention"] as const),
          arithmetic: `${waited}; nothing ends those (idle_in_transaction_session_timeout is 0)`,
          title: `transactions of ${database} that do nothing hold locks, and nothing ends them`,
          remedy:
            "Let the holder commit before it does anything else; the timeout ends what was forgotten. It cancels such transactions: try it for one role first.",
          reference: "PostgreSQL: idle_in_transaction_session_timeout",
          query: "pg_stat_activity with state 'idle in transaction', pg_blocking_pids()",
          refutedBy: "the holders are at work at the time",
          confidence: 0.8,
          harm: { text: waited },
        },
      ],
      fine: [],
    };
  },
);

/** random_page_cost of disks with arms, where reads show that there are none: the planner takes scans for cheaper than they are. */
export const randomPageCost: ConfigurationCheck = perDatabase(
  "cost of random reads",
  ({ database, settings }, { statements }) => {
    const cost = settings.get("random_page_cost");
    const timed = statements.filter((one) => one.database === database && one.blocksRead > 0 && one.readSeconds > 0);
    const reads = timed.reduce((sum, one) => sum + one.blocksRead, 0);
    const each = timed.reduce((sum, one) => sum + one.readSeconds, 0) / reads;
    if (cost === undefined || !(reads >= MIN_READS)) return NOTHING;
    const sum = `a page that is not in the cache is there after ${ms(1e9 * each)} (${count(Math.round(reads))} reads); random_page_cost is ${count(cost)}`;
    if (cost < DISK_COST || each > NO_SEEK_S)
      return { problems: [], fine: [{ text: `${database}: ${sum}`, tightness: 0 }] };
    return {
      problems: [
        {
          setting: "random_page_cost",
          change: `random_page_cost: ${count(cost)} -> 1.1`,
          service: database,
          resource: "database",
          mechanism: "misconfiguration",
          saidAs: new Set(),
          arithmetic: `${sum}, which is right for disks that have to seek`,
          title: `the planner of ${database} counts with disks that seek, and reads take ${ms(1e9 * each)}`,
          remedy:
            "Lower random_page_cost, for one role first: the planner then takes an index more often, where there is one.",
          reference: "PostgreSQL: random_page_cost",
          query: "shared_blk_read_time and shared_blks_read of pg_stat_statements",
          refutedBy: "EXPLAIN shows the same plans with 1.1",
          confidence: 0.5,
        },
      ],
      fine: [],
    };
  },
);

/** work_mem, of the statement that spills: the check of temporary files as a whole cannot name it. */
export const spillingStatements: ConfigurationCheck = perDatabase(
  "statements that spill",
  ({ database, settings }, { statements }) => {
    const [worst] = statements
      .filter((one) => one.database === database && one.tempBlocks > 0)
      .toSorted((a, b) => b.tempBlocks - a.tempBlocks);
    const memory = settings.get("work_mem");
    if (worst === undefined || memory === undefined) return NOTHING;
    const each = (worst.tempBlocks / worst.calls) * PAGE_BYTES;
    const need = 2 ** Math.ceil(Math.log2((2 * each + memory) / 2 ** 20));
    return {
      problems: [
        {
          setting: "work_mem",
          change: `work_mem: ${count(memory / 2 ** 20)} MB -> ${count(Math.max(1, need))} MB (for this statement)`,
          service: database,
          resource: "database",
          mechanism: "misconfiguration",
          saidAs: new Set(["slow-query"] as const),
          arithmetic: `${shorten(worst.statement, 60)} writes ${count(Number((each / 2 ** 20).toPrecision(2)))} MB of temporary files a call (${plural(Math.round(worst.calls), "call")}); twice that, since memory takes more than the file`,
          title: `${shorten(worst.statement, 60)} sorts or hashes in temporary files`,
          remedy: "SET LOCAL work_mem before this statement, not for all: each sort of each connection may take it.",
          reference: "PostgreSQL: work_mem",
          query: "temp_blks_written of pg_stat_statements",
          refutedBy: "EXPLAIN (ANALYZE) shows sorts and hashes in memory",
          confidence: 0.6,
        },
      ],
      fine: [],
    };
  },
);
