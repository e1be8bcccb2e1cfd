import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { join } from "node:path";
import { LabError } from "../../lab-error.ts";
import type { PostgresSettings } from "../../settings.ts";
import type { Keeper } from "../keeper-client.ts";
import { findPostgres, preparePostgres } from "./binaries.ts";
import { changeStatements, observerStatements, OwnerConnection, randomSecret, type Database } from "./database.ts";
import { AFTER_SEED, seedStatements } from "./seed.ts";

const DATABASE = "zones_db";
const OWNER = "zones_owner";
const OBSERVER = "observer";

/** A server of its own, that `keeper` starts. Rejects with a LabError where there is none to be had. */
export async function ownDatabase(keeper: Keeper, folder: string): Promise<Database> {
  const home = findPostgres(folder);
  await keeper.remember({ kind: "folder", path: home.folder });
  try {
    preparePostgres(home);
  } catch (error) {
    throw new LabError("folder", `PostgreSQL gets no folder: ${(error as Error).message}`, { cause: error });
  }
  const port = await freePort();
  const address = { host: "127.0.0.1", port, user: OWNER, password: randomSecret(), database: DATABASE };
  const observer = { ...address, user: OBSERVER, password: randomSecret() };
  const logFile = join(folder, "logs", "postgres.log");
  const owner = new OwnerConnection(address, logFile);
  let pid: number | undefined;

  const run = async (settings: PostgresSettings): Promise<void> => {
    const { binaries, user } = home;
    const plan = {
      binaries,
      user,
      folder: home.folder,
      logFile,
      owner: OWNER,
      password: address.password,
      port,
      options: serverOptions(settings),
    };
    try {
      pid = await keeper.startPostgres(plan);
    } catch (error) {
      throw new LabError("postgres-failed", `PostgreSQL did not start: ${(error as Error).message}`, { cause: error });
    }
  };
  return {
    address,
    observer,
    query: (sql) => owner.query(sql),
    close: () => owner.close(),
    pids: () => (pid === undefined ? [] : [pid]),
    async start(settings) {
      await run(settings);
      const maintenance = new OwnerConnection({ ...address, database: "postgres" }, logFile);
      await maintenance.runAll([`CREATE DATABASE ${DATABASE}`]);
      await maintenance.close();
      await owner.runAll(["CREATE EXTENSION pg_stat_statements", ...observerStatements(observer)]);
      await owner.runAll([...seedStatements(settings.records, settings.nameIndex), ...AFTER_SEED]);
    },
    async apply(from, to) {
      if (needsRestart(from, to)) {
        await owner.close();
        await keeper.stopPostgres();
        await run(to);
      }
      await owner.runAll(changeStatements(from, to));
    },
  };
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

/** Below the ports that systems give to outgoing connections (from 32,768 on), any of which may take one meanwhile. */
const PORTS = { from: 15_000, to: 32_000 };
const PORT_TRIES = 50;

/** A port that was free a moment ago, and that nobody is given by chance. */
export async function freePort(): Promise<number> {
  for (let i = 0; i < PORT_TRIES; i++) {
    const port = randomInt(PORTS.from, PORTS.to);
    if (await isFree(port)) return port;
  }
  const range = `${PORTS.from} to ${PORTS.to}`;
  throw new LabError("no-port", `no port is free: ${PORT_TRIES} ports from ${range} are all in use or may not be used`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
