import type { Connection, Link } from "./connection.ts";
import { type EngineRow, engineStatus, SPAN_TIMES, type SpanTimesRow, tableSizes } from "./queries/status.ts";
import { localDatabase } from "./schema/migrate.ts";
import type { StoreStatus, TableStatus } from "./store.ts";

/** How the store is; of a cluster the tables of all nodes, the rest of the one that answers. */
export async function readStatus(link: Link, connection: Connection): Promise<StoreStatus> {
  const database = localDatabase(connection);
  const parts =
    connection.cluster === undefined ? "system.parts" : `clusterAllReplicas('${connection.cluster}', system.parts)`;
  const options = { parameters: { database }, asWriter: true };
  const [tables, engines, times] = await Promise.all([
    link.rows<TableStatus>(tableSizes(parts), options),
    link.rows<EngineRow>(engineStatus(parts, `${database}.schema_version`), options),
    link.rows<SpanTimesRow>(SPAN_TIMES),
  ]);
  const engine = engines[0]!;
  return {
    engineVersion: engine.version,
    schemaVersion: engine.schema,
    tables,
    mostParts: engine.parts,
    oldestSpanUnixNs: times[0] === undefined ? undefined : BigInt(times[0].oldest),
    newestSpanUnixNs: times[0] === undefined ? undefined : BigInt(times[0].newest),
    diskFreeBytes: engine.free,
    memoryBytes: engine.memory,
  };
}
