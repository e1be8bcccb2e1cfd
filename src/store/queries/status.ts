/** `parts` is `system.parts` of this node or of all nodes. */
export const tableSizes = (
  parts: string,
): string => `SELECT table, toFloat64(sum(rows)) AS rows, toFloat64(sum(bytes_on_disk)) AS bytesOnDisk
FROM ${parts}
WHERE active AND database = {database:String}
GROUP BY table
ORDER BY table`;

export interface EngineRow {
  readonly version: string;
  readonly schema: number;
  readonly parts: number;
  readonly free: number;
  readonly memory: number;
}

export const engineStatus = (parts: string, schemaVersion: string): string => `SELECT version() AS version,
  (SELECT max(version) FROM ${schemaVersion}) AS schema,
  (SELECT toUInt32(max(n)) FROM (SELECT count() AS n FROM ${parts} WHERE active AND database = {database:String} GROUP BY table, partition_id)) AS parts,
  (SELECT toFloat64(min(free_space)) FROM system.disks) AS free,
  (SELECT toFloat64(sum(value)) FROM system.metrics WHERE metric = 'MemoryTracking') AS memory`;

export interface SpanTimesRow {
  readonly oldest: string;
  readonly newest: string;
}

/** From the parts' own notes, without reading a row; none where there is no span. */
export const SPAN_TIMES: string = `SELECT toString(toUnixTimestamp64Nano(min(start))) AS oldest, toString(toUnixTimestamp64Nano(max(start))) AS newest
FROM spans
HAVING count() > 0`;

/** Shards of a cluster, and those that a query reaches which leaves out the others. */
export const SHARDS: string = `SELECT
  (SELECT toUInt32(uniqExact(shard_num)) FROM system.clusters WHERE cluster = {cluster:String}) AS all,
  (SELECT toUInt32(uniqExact(shardNum())) FROM cluster({cluster:String}, system.one)) AS answering`;

export interface PartitionRow {
  readonly table: string;
  readonly id: string;
  /** start of the six hours, seconds since 1970, by which the oldest is found; 0 of tables that are not cut so */
  readonly since: number;
  readonly bytes: number;
}

export const PARTITIONS: string = `SELECT table, partition_id AS id, toUInt32(min(if(length(partition) = 19, toUnixTimestamp(parseDateTimeBestEffortOrZero(partition)), 0))) AS since,
  toFloat64(sum(bytes_on_disk)) AS bytes
FROM system.parts
WHERE active AND database = {database:String}
GROUP BY table, id
ORDER BY since, table`;
