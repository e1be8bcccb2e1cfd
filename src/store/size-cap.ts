import type { Connection, Link } from "./connection.ts";
import { PARTITIONS, type PartitionRow } from "./queries/status.ts";
import { localDatabase } from "./schema/migrate.ts";

export interface Dropped {
  readonly table: string;
  readonly partition: string;
  readonly bytes: number;
}

/**
 * Deletes a node's oldest partitions, of all tables alike, until what is left has at most `maxBytes`. The newest
 * partition of a table stays: less than six hours of data cannot be kept this way.
 */
export async function enforceSizeCap(
  node: Link,
  connection: Connection,
  maxBytes: number,
): Promise<readonly Dropped[]> {
  const database = localDatabase(connection);
  const partitions = await node.rows<PartitionRow>(PARTITIONS, { parameters: { database }, asWriter: true });
  const newest = new Map(partitions.map(({ table, id }) => [table, id]));
  let bytes = partitions.reduce((sum, partition) => sum + partition.bytes, 0);
  const dropped: Dropped[] = [];
  for (const partition of partitions) {
    if (bytes <= maxBytes) break;
    if (newest.get(partition.table) === partition.id) continue;
    // Names and ids are the engine's own: letters, digits, - and _.
    if (!/^\w+$/.test(partition.table) || !/^[\w-]+$/.test(partition.id)) continue;
    await node.command(`ALTER TABLE ${database}.${partition.table} DROP PARTITION ID '${partition.id}'`);
    bytes -= partition.bytes;
    dropped.push({ table: partition.table, partition: partition.id, bytes: partition.bytes });
  }
  return dropped;
}
