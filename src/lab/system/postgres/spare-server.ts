import { type ChildProcess, execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
  /** Another that follows this one, by streaming and under `name`, and starts as its copy: this one is away meanwhile. */
  replica(name: string): Promise<SpareServer>;
  /** Ends it and takes its files away. */
  remove(): Promise<void>;
}

interface PlacedServer extends SpareServer {
  /** its folder, which is made at the first start */
  readonly data: string;
}

/** A new server on loopback. `binaries`: of another installation than npm's. `options`: name=value of its settings. */
export async function spareServer(
  options: Readonly<Record<string, string>> = {},
  binaries?: string,
): Promise<SpareServer> {
  const server = await placeFor(options, binaries);
  await server.start();
  return server;
}

/** It is not started yet, and has no data: it makes itself a new database, where none is put there before. */
async function placeFor(
  options: Readonly<Record<string, string>>,
  binaries: string | undefined,
  password = randomSecret(),
): Promise<PlacedServer> {
  const folder = mkdtempSync(join(tmpdir(), "longpole-postgres-"));
  const home = findPostgres(folder);
  preparePostgres(home);
  const port = await freePort();
  const address = { host: "127.0.0.1", port, user: "owner", password, database: "postgres" };
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
  const server: PlacedServer = {
    address,
    data: join(home.folder, "data"),
    run: (...statements) => owner.runAll(statements),
    stop: async (isCrash = false) => {
      await owner.close();
      if (child !== undefined) await stopCluster(child, isCrash ? "SIGQUIT" : "SIGINT");
    },
    replica: async (name) => {
      const { host, user } = address;
      const primary = `host=${host} port=${port} user=${user} password=${password} application_name=${name}`;
      const replica = await placeFor({ ...options, primary_conninfo: primary }, binaries, password);
      await server.stop();
      // With owners and rights as they are: a server takes no folder that another user could have written to.
      execFileSync("cp", ["-a", server.data, replica.data]);
      const standby = join(replica.data, "standby.signal");
      writeFileSync(standby, "");
      if (home.user !== undefined) chownSync(standby, home.user.uid, home.user.gid);
      await server.start();
      await replica.start();
      return replica;
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
  return server;
}
