/* The third schema: in how many parts an hour's calls between services are counted. */
export const VERSION_3: readonly string[] = [
  /* Written when an hour is begun. A try after one that was cut off has to count the same parts, whatever spans came since. */
  `CREATE TABLE {db}.edge_parts (
    time DateTime('UTC'),
    parts UInt64
  ) ENGINE = MergeTree
  ORDER BY time
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 10000`,
];
