import { ClickHouseStore } from "./clickhouse-store.ts";
import { type Connection, Link } from "./connection.ts";
import { DEFAULT_RETENTION, localDatabase, migrate, migrateDistributed, type Retention } from "./schema/migrate.ts";
import type { Store } from "./store.ts";
import { StoreError } from "./store-error.ts";

export interface ConnectOptions {
  readonly retention?: Retention;
  /** The tables are known to be there and of this version, as they are to a thread of a program that has connected. */
  readonly isMigrated?: boolean;
}

/**
 * A store on ClickHouse servers that somebody runs. Tables are made or brought to the present version first; of a
 * cluster on each node, so `urls` has to name one node of each shard.
 */
export async function connect(connection: Connection, options: ConnectOptions = {}): Promise<Store> {
  if (options.isMigrated !== true) await prepareTables(connection, options.retention ?? DEFAULT_RETENTION);
  return new ClickHouseStore(connection);
}

/** Makes the tables, or brings them to the present version. */
export async function prepareTables(connection: Connection, retention: Retention): Promise<void> {
  const { cluster } = connection;
  const nodes =
    cluster === undefined
      ? [new Link(connection)]
      : connection.urls.map((url) => new Link({ ...connection, urls: [url] }));
  try {
    if (cluster !== undefined) await assertNodes(nodes[0]!, cluster, nodes.length);
    for (const node of nodes) {
      await migrate(node, localDatabase(connection), retention, connection.isReplicated);
    }
    // Only then, as a Distributed table reads the structure of the tables of all nodes.
    if (cluster !== undefined) for (const node of nodes) await migrateDistributed(node, { ...connection, cluster });
  } finally {
    await Promise.all(nodes.map((node) => node.close()));
  }
}

async function assertNodes(node: Link, cluster: string, urls: number): Promise<void> {
  const [row] = await node.rows<{ shards: number }>(
    "SELECT toUInt32(uniqExact(shard_num)) AS shards FROM system.clusters WHERE cluster = {cluster:String}",
    { parameters: { cluster }, asWriter: true },
  );
  if (row === undefined || row.shards === 0)
    throw new StoreError("refused", `the server knows no cluster ${JSON.stringify(cluster)}`);
  if (urls < row.shards) {
    throw new StoreError(
      "refused",
      `cluster ${cluster} has ${row.shards} shards, ${urls} addresses were given: one of each is needed`,
    );
  }
}
