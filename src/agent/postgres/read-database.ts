import type { Figure } from "./figures.ts";
import { type Ask, figure } from "./rows.ts";

/** Figures of this database as a whole, as the Collector's PostgreSQL receiver names them. */
export async function readDatabase(ask: Ask): Promise<Figure[]> {
  const [row] = await ask.rows("SELECT * FROM pg_stat_database WHERE datname = current_database()");
  if (row === undefined) return [];
  return [
    figure("commits", "1", "total", row["xact_commit"]),
    figure("rollbacks", "1", "total", row["xact_rollback"]),
    figure("deadlocks", "{deadlock}", "total", row["deadlocks"]),
    figure("conflicts", "{conflict}", "total", row["conflicts"]),
    figure("temp_files", "{temp_file}", "total", row["temp_files"]),
    figure("temp.io", "By", "total", row["temp_bytes"]),
    figure("blks_hit", "1", "total", row["blks_hit"]),
    figure("blks_read", "1", "total", row["blks_read"]),
    figure("block_read_time", "ms", "total", row["blk_read_time"]),
    figure("block_write_time", "ms", "total", row["blk_write_time"]),
  ];
}

/** The size is told by walking all files of the database: asked for less often than the rest. */
export async function readDatabaseSize(ask: Ask): Promise<Figure[]> {
  const [row] = await ask.rows("SELECT pg_database_size(current_database())::float8 AS size");
  return [figure("db_size", "By", "amount", row?.["size"])];
}
