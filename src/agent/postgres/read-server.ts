import type { Attributes, Figure } from "./figures.ts";
import { type Catalog, columnOf } from "./catalog.ts";
import { type Ask, figure, numberOf, type Row, textOf } from "./rows.ts";

/** Figures of the whole server, part by part: a server whose owner closed one view still tells the others. */
export const SERVER_PARTS: readonly ServerPart[] = [
  { what: "connections", read: connections },
  { what: "checkpoints", read: checkpoints },
  { what: "its log", read: writeAheadLog },
  { what: "replicas", read: replication },
  { what: "reads and writes", read: blockIo },
];

interface ServerPart {
  readonly what: string;
  readonly read: (ask: Ask, catalog: Catalog) => Promise<Figure[]>;
}

/** `postgresql.backends` is of this database, by state; `postgresql.connection.count` is of all, against `.max`. */
async function connections(ask: Ask): Promise<Figure[]> {
  const rows = await ask.rows(`SELECT coalesce(state, 'unknown') AS state, count(*)::float8 AS n,
      count(*) FILTER (WHERE datname = current_database())::float8 AS here,
      current_setting('max_connections')::int AS most
    FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1`);
  const all = rows.reduce((sum, row) => sum + numberOf(row["n"]), 0);
  return [
    figure("connection.max", "{connections}", "gauge", rows[0]?.["most"]),
    figure("connection.count", "{connections}", "amount", all),
    ...rows.map((row) => figure("backends", "1", "amount", row["here"], { "postgresql.state": textOf(row["state"]) })),
  ];
}

async function checkpoints(ask: Ask, catalog: Catalog): Promise<Figure[]> {
  const { columns } = catalog;
  // Since PostgreSQL 17 in a view of their own.
  const isOwn = columns.has("pg_stat_checkpointer");
  const [writer] = await ask.rows("SELECT * FROM pg_stat_bgwriter");
  const point = isOwn ? (await ask.rows("SELECT * FROM pg_stat_checkpointer"))[0] : writer;
  const of = (...names: readonly string[]): Row[string] | undefined =>
    names.map((name) => point?.[name]).find((value) => value !== undefined);
  return [
    figure("bgwriter.checkpoint.count", "{checkpoints}", "total", of("num_timed", "checkpoints_timed"), {
      type: "scheduled",
    }),
    figure("bgwriter.checkpoint.count", "{checkpoints}", "total", of("num_requested", "checkpoints_req"), {
      type: "requested",
    }),
    figure("bgwriter.duration", "ms", "total", of("write_time", "checkpoint_write_time"), { type: "write" }),
    figure("bgwriter.duration", "ms", "total", of("sync_time", "checkpoint_sync_time"), { type: "sync" }),
    figure("bgwriter.buffers.writes", "{buffers}", "total", of("buffers_written", "buffers_checkpoint"), {
      source: "checkpoints",
    }),
    figure("bgwriter.buffers.writes", "{buffers}", "total", writer?.["buffers_clean"], { source: "bgwriter" }),
    figure("bgwriter.buffers.writes", "{buffers}", "total", writer?.["buffers_backend"], { source: "backend" }),
    figure("bgwriter.buffers.allocated", "{buffers}", "total", writer?.["buffers_alloc"]),
    figure("bgwriter.maxwritten", "1", "total", writer?.["maxwritten_clean"]),
  ];
}

async function writeAheadLog(ask: Ask, { columns }: Catalog): Promise<Figure[]> {
  if (!columns.has("pg_stat_wal")) return [];
  const [row] = await ask.rows("SELECT * FROM pg_stat_wal");
  return [
    figure("wal.records", "{record}", "total", row?.["wal_records"]),
    figure("wal.full_page_images", "{page}", "total", row?.["wal_fpi"]),
    figure("wal.size", "By", "total", row?.["wal_bytes"]),
    figure("wal.buffers_full", "1", "total", row?.["wal_buffers_full"]),
  ];
}

/**
 * How far replicas are behind, seen from the one that sends or from the replica itself. A replica that has replayed all that
 * it received is not behind, but where nobody sends to it any longer: there it has what was committed until its last one.
 */
async function replication(ask: Ask, catalog: Catalog): Promise<Figure[]> {
  const [own] = await ask.rows(`SELECT pg_is_in_recovery() AS replica,
    CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()
        AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE coalesce(status, 'streaming') = 'streaming') THEN 0
      WHEN pg_is_in_recovery() THEN extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8
      END AS delay`);
  if (own?.["replica"] === true) return [figure("wal.delay", "s", "gauge", own["delay"])];
  if (columnOf(catalog, "pg_stat_replication", "replay_lag") === undefined) return [];
  const rows =
    await ask.rows(`SELECT coalesce(application_name, '') || ' ' || coalesce(client_addr::text, 'local') AS client,
      extract(epoch FROM write_lag)::float8 AS write, extract(epoch FROM flush_lag)::float8 AS flush,
      extract(epoch FROM replay_lag)::float8 AS replay,
      pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float8 AS bytes
    FROM pg_stat_replication LIMIT 50`);
  return rows.flatMap((row) => {
    const replica: Attributes = { replication_client: textOf(row["client"]) };
    return [
      ...["write", "flush", "replay"].map((operation) =>
        figure("wal.lag", "s", "gauge", row[operation], { ...replica, operation }),
      ),
      figure("replication.data_delay", "By", "gauge", row["bytes"], replica),
    ];
  });
}

/** pg_stat_io, where the server has it (PostgreSQL 16): who reads and writes, and how long that takes with track_io_timing. */
async function blockIo(ask: Ask, { columns }: Catalog): Promise<Figure[]> {
  const own = columns.get("pg_stat_io");
  if (own === undefined) return [];
  const names = ["reads", "writes", "extends", "hits", "evictions", "fsyncs"] as const;
  const times = ["read_time", "write_time", "fsync_time"] as const;
  const rows = await ask.rows(
    `SELECT backend_type, context, ${[...names, ...times].map((name) => `sum(${name})::float8 AS ${name}`).join(", ")}
      FROM pg_stat_io WHERE object = 'relation' GROUP BY 1, 2
      HAVING sum(coalesce(reads, 0) + coalesce(writes, 0) + coalesce(extends, 0) + coalesce(hits, 0)) > 0`,
  );
  return rows.flatMap((row) => {
    const who = {
      "postgresql.backend_type": textOf(row["backend_type"]),
      "postgresql.io.context": textOf(row["context"]),
    };
    return [
      ...names.map((name) => figure("io.operations", "{operation}", "total", row[name], { ...who, operation: name })),
      ...times.map((name) =>
        figure("io.duration", "ms", "total", row[name], { ...who, operation: name.replace("_time", "") }),
      ),
    ];
  });
}
