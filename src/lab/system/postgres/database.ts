import { randomBytes } from "node:crypto";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import type { Pool } from "pg";
import { LabError } from "../../lab-error.ts";
import type { PostgresSettings } from "../../settings.ts";
import type { Child } from "../child.ts";
import type { DatabaseAddress } from "../messages.ts";
import { findPostgres, type PostgresHome } from "./binaries.ts";
import { AFTER_SEED, CREATE_NAME_INDEX, DROP_NAME_INDEX, reseedStatements, seedStatements } from "./seed.ts";

export interface Database {
  /** of the services; the owner of all */
  readonly address: DatabaseAddress;
  /** of collectors: may read statistics and data, and change nothing */
  readonly observer: DatabaseAddress;
  /** starts the server and fills it */
  start(settings: PostgresSettings): Promise<void>;
  apply(from: PostgresSettings, to: PostgresSettings): Promise<void>;
  query(sql: string): Promise<Record<string, unknown>[]>;
  pids(): readonly number[];
  close(): Promise<void>;
}

const DATABASE = "dns";
const OWNER = "dns";
const OBSERVER = "observer";

/** A server of its own, below `folder`, that `keeper` starts. */
export async function ownDatabase(keeper: Child, folder: string): Promise<Database> {
  const { Pool: PoolOf } = (await import("pg")).default;
  const home = findPostgres(folder);
  await keeper.ask({ kind: "remember", leftover: { kind: "folder", path: home.leftover } });
  const address = { host: "127.0.0.1", port: await freePort(), user: OWNER, password: secret(), database: DATABASE };
  const observer = { ...address, user: OBSERVER, password: secret() };
  let pool: Pool | undefined;
  let pid: number | undefined;

  const query = async (sql: string): Promise<Record<string, unknown>[]> => {
    pool ??= quietPool(new PoolOf({ ...address, max: 2, application_name: "owner" }));
    return (await pool.query<Record<string, unknown>>(sql)).rows;
  };
  const close = async (): Promise<void> => {
    const open = pool;
    pool = undefined;
    await open?.end();
  };
  const run = async (settings: PostgresSettings): Promise<void> => {
    pid = await startServer(keeper, home, address, settings, folder);
  };
  return {
    address,
    observer,
    query,
    close,
    pids: () => (pid === undefined ? [] : [pid]),
    async start(settings) {
      await run(settings);
      const maintenance = new PoolOf({ ...address, database: "postgres", max: 1 });
      await maintenance.query(`CREATE DATABASE ${DATABASE}`).finally(() => maintenance.end());
      await runAll(query, [...observerStatements(observer), ...seedStatements(settings.records, settings.nameIndex)]);
      await runAll(query, AFTER_SEED);
    },
    async apply(from, to) {
      if (needsRestart(from, to)) {
        await close();
        await keeper.ask({ kind: "postgres-stop" });
        await run(to);
      }
      await runAll(query, changeStatements(from, to));
    },
  };
}

/** What brings the data of a running server from one setting to another. */
export function changeStatements(from: PostgresSettings, to: PostgresSettings): readonly string[] {
  const index = to.nameIndex ? CREATE_NAME_INDEX : DROP_NAME_INDEX;
  // Records go in faster without the index, and the statistics come last.
  if (from.records !== to.records) return [DROP_NAME_INDEX, ...reseedStatements(to.records), index, ...AFTER_SEED];
  return from.nameIndex === to.nameIndex ? [] : [index, "ANALYZE records"];
}

export function needsRestart(from: PostgresSettings, to: PostgresSettings): boolean {
  return JSON.stringify(serverOptions(from)) !== JSON.stringify(serverOptions(to));
}

function serverOptions(settings: PostgresSettings): Record<string, string> {
  return {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    shared_preload_libraries: "pg_stat_statements",
    shared_buffers: `${settings.sharedBuffersMb}MB`,
    work_mem: `${settings.workMemKb}kB`,
    max_connections: String(settings.maxConnections),
    // One process per statement, so that a statement cannot take both cores.
    max_parallel_workers_per_gather: "0",
    // A checkpoint in the middle of a run of half a minute would be an incident of its own.
    checkpoint_timeout: "30min",
    max_wal_size: "4GB",
    track_io_timing: "on",
    ...(settings.directIo ? { debug_io_direct: "data", io_method: "sync" } : {}),
  };
}

async function startServer(
  keeper: Child,
  home: PostgresHome,
  address: DatabaseAddress,
  settings: PostgresSettings,
  folder: string,
): Promise<number | undefined> {
  const logFile = join(folder, "logs", "postgres.log");
  const { binaries, user } = home;
  const { user: owner, password, port } = address;
  const plan = {
    binaries,
    folder: home.folder,
    logFile,
    owner,
    password,
    port,
    options: serverOptions(settings),
    user,
  };
  try {
    const reply = await keeper.ask({ kind: "postgres-start", plan });
    return reply.kind === "done" ? reply.pid : undefined;
  } catch (error) {
    throw new LabError("postgres-failed", `PostgreSQL did not start: ${(error as Error).message}`, { cause: error });
  }
}

function observerStatements(observer: DatabaseAddress): string[] {
  return [
    "CREATE EXTENSION IF NOT EXISTS pg_stat_statements",
    `CREATE ROLE ${observer.user} LOGIN PASSWORD '${observer.password}' IN ROLE pg_monitor, pg_read_all_data`,
  ];
}

async function runAll(query: Database["query"], statements: readonly string[]): Promise<void> {
  for (const statement of statements) await query(statement);
}

/** A server that restarts cuts the connections that nobody uses; the pool opens others. */
function quietPool(pool: Pool): Pool {
  pool.on("error", () => {});
  return pool;
}

const secret = (): string => randomBytes(12).toString("hex");

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error) => reject(new LabError("no-port", `no port is free: ${error.message}`)));
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
