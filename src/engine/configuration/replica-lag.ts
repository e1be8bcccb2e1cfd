import type { ReplicaStatistics } from "../database/replica-lags.ts";
import { count } from "../wording.ts";
import { NOTHING, together, type CheckResult, type ConfigurationCheck } from "./configuration-check.ts";

/** Replicas that keep up are milliseconds behind; who writes and loads the page again after so long sees the old one. */
const LATE_S = 5;
/** The way there is what takes the time where it takes this share of it. */
const MOSTLY = 0.5;

/** Replicas that are behind what was written: what is read there is old. */
export const replicaLag: ConfigurationCheck = {
  what: "replicas",
  run: ({ database }) => (database === undefined ? NOTHING : together(database.replicas.map(judge))),
};

function judge(replica: ReplicaStatistics): CheckResult {
  const { name, database, lagSeconds, writeLagSeconds, scans } = replica;
  if (Number.isNaN(lagSeconds)) return NOTHING;
  const sum = `replica ${name}: ${seconds(lagSeconds)} behind (median of the window)`;
  if (lagSeconds < LATE_S) return { problems: [], fine: [{ text: sum, tightness: lagSeconds / LATE_S }] };
  const isWay = writeLagSeconds >= MOSTLY * lagSeconds;
  const parts = Number.isNaN(writeLagSeconds)
    ? ""
    : `; ${seconds(writeLagSeconds)} of it until what is sent is written there: ${isWay ? "the way takes it" : "the replica does not keep up with replaying"}`;
  const isRead = scans > 0;
  const read = isRead
    ? `its tables were scanned ${count(Math.round(scans))} times meanwhile, by index or whole: those read what is ${seconds(lagSeconds)} old`
    : Number.isNaN(scans)
      ? "whether anybody reads there is not seen: its own statistics tell (--postgres)"
      : "nobody read its tables meanwhile";
  return {
    problems: [
      {
        service: database,
        resource: `replica:${name}`,
        setting: isWay ? "wal_compression" : "max_standby_streaming_delay",
        mechanism: "misconfiguration",
        saidAs: new Set(),
        arithmetic: `${sum}${parts}; ${read}`,
        title: `replica ${name} is ${seconds(lagSeconds)} behind${isRead ? ", and is read" : ""}`,
        remedy: isWay
          ? "Look at the network to it and at what writes so much (wal.size): wal_compression, fewer full page images (max_wal_size), a faster line."
          : "Look for long queries on it, which replaying waits for (max_standby_streaming_delay, 30 s by default), and for what one process has to replay of many that write; read what has to be fresh from the primary.",
        reference: "PostgreSQL: hot standby, pg_stat_replication",
        query: "replay_lag of pg_stat_replication, pg_last_xact_replay_timestamp() on the replica",
        refutedBy: "a restore, or a delay that is wanted (recovery_min_apply_delay)",
        confidence: 0.8,
        ...(isRead ? { harm: { text: read } } : {}),
      },
    ],
    fine: [],
  };
}

const seconds = (value: number): string =>
  value < 1
    ? `${Math.round(1000 * value)} ms`
    : value < 90
      ? `${Number(value.toPrecision(2))} s`
      : `${Math.round(value / 60)} min`;
