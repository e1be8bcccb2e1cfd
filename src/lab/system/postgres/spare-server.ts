import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseAddress } from "../messages.ts";
import { findPostgres, preparePostgres } from "./binaries.ts";
import { startCluster, stopCluster } from "./cluster.ts";
import { OwnerConnection, randomSecret } from "./database.ts";
import { freePort } from "./own-database.ts";

/** A PostgreSQL that a test has for itself, and may do to whatever it likes. */
export interface SpareServer {
  /** of its owner, a superuser */
  readonly address: DatabaseAddress;
  run(...statements: readonly string[]): Promise<void>;
  /** Ends it, at once where `isCrash`: what it counted since its last checkpoint is lost. */
  stop(isCrash?: boolean): Promise<void>;
  start(): Promise<void>;
  /** Ends it and takes its files away. */
  remove(): Promise<void>;
}

/** A new server on loopback. `binaries`: of another installation than npm's. `options`: name=value of its settings. */
export async function spareServer(
  options: Readonly<Record<string, string>> = {},
  binaries?: string,
): Promise<SpareServer> {
  const folder = mkdtempSync(join(tmpdir(), "longpole-postgres-"));
  const home = findPostgres(folder);
  preparePostgres(home);
  const port = await freePort();
  const address = { host: "127.0.0.1", port, user: "owner", password: randomSecret(), database: "postgres" };
  const logFile = join(folder, "postgres.log");
  const owner = new OwnerConnection(address, logFile);
  let child: ChildProcess | undefined;
  const plan = {
    binaries: binaries ?? home.binaries,
    user: home.user,
    folder: home.folder,
    logFile,
    owner: address.user,
    password: address.password,
    port,
    options: { listen_addresses: "127.0.0.1", unix_socket_directories: "", fsync: "off", ...options },
  };
  const server: SpareServer = {
    address,
    run: (...statements) => owner.runAll(statements),
    stop: async (isCrash = false) => {
      await owner.close();
      if (child !== undefined) await stopCluster(child, isCrash ? "SIGQUIT" : "SIGINT");
    },
    start: async () => {
      child = await startCluster(plan, AbortSignal.timeout(60_000), () => {});
    },
    remove: async () => {
      await server.stop(true);
      rmSync(home.folder, { recursive: true, force: true });
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}
