import type { Connection, Link } from "./connection.ts";
import { PARTITIONS, type PartitionRow } from "./queries/status.ts";
import { localDatabase } from "./schema/migrate.ts";

export interface Dropped {
  readonly table: string;
  readonly partition: string;
  readonly bytes: number;
}

/**
 * Deletes a node's oldest six hours, of all tables alike, until what is left has at most `maxBytes`. The newest six
 * hours stay, and so do the rollups by hour, the series and the findings, which are small.
 */
export async function enforceSizeCap(
  node: Link,
  connection: Connection,
  maxBytes: number,
): Promise<readonly Dropped[]> {
  const database = localDatabase(connection);
  const partitions = await node.rows<PartitionRow>(PARTITIONS, { parameters: { database }, asWriter: true });
  const newest = Math.max(...partitions.map(({ since }) => since));
  let bytes = partitions.reduce((sum, partition) => sum + partition.bytes, 0);
  const dropped: Dropped[] = [];
  let since = 0;
  for (const partition of partitions) {
    if (partition.since === 0 || partition.since === newest) continue;
    // All tables lose the same hours.
    if (bytes <= maxBytes && partition.since !== since) break;
    since = partition.since;
    // Names and ids are the engine's own: letters, digits, - and _.
    if (!/^\w+$/.test(partition.table) || !/^[\w-]+$/.test(partition.id)) continue;
    await node.command(`ALTER TABLE ${database}.${partition.table} DROP PARTITION ID '${partition.id}'`);
    bytes -= partition.bytes;
    dropped.push({ table: partition.table, partition: partition.id, bytes: partition.bytes });
  }
  return dropped;
}
