/*
 * The second schema: searches by attribute, rates by the day, calls between services, and what happened besides
 * telemetry. Each statement is safe to run again, as a migration that was cut off starts anew; nothing is inserted
 * while it runs.
 */
const KEEP =
  "fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, " +
  "non_replicated_deduplication_window = 10000";
const KEEP_BY_TIME = `${KEEP}, ttl_only_drop_parts = 1`;

const DAY_OF_HOURS = `SELECT service, name, kind, is_root, toStartOfDay(time) AS time, bucket,
    sum(count) AS count, sum(errors) AS errors, sum(sum_ns) AS sum_ns
  FROM {db}.red_hour
  GROUP BY service, name, kind, is_root, time, bucket`;

export const VERSION_2: readonly string[] = [
  // A block of spans is one file instead of one a column, each of which is synced: a fifth of the time of an insert.
  `ALTER TABLE {db}.spans MODIFY SETTING min_bytes_for_wide_part = 134217728`,

  /*
   * Values of attributes, whatever their key: of 500 granules one is read in vain. Inserts leave it to merges
   * (setting exclude_materialize_skip_indexes_on_insert), which takes 0.1 s of processor per million spans.
   */
  `ALTER TABLE {db}.spans ADD INDEX IF NOT EXISTS by_value (labels, texts, numbers) TYPE bloom_filter(0.002) GRANULARITY 1`,
  `ALTER TABLE {db}.spans MATERIALIZE INDEX by_value`,
  `ALTER TABLE {db}.entries ADD INDEX IF NOT EXISTS by_duration duration TYPE minmax GRANULARITY 1`,

  /*
   * The same rows as before, grouped by numbers: with texts in the key a group costs three times as much. Two names
   * of a block would have to share 64 bits of hash to be taken for one.
   */
  `DROP VIEW IF EXISTS {db}.red_minute_of_spans SYNC`,
  `CREATE MATERIALIZED VIEW {db}.red_minute_of_spans TO {db}.red_minute AS
  SELECT any(s.service) AS service, any(s.name) AS name, kind, parent_id = toFixedString('', 8) AS is_root,
    toStartOfMinute(toDateTime(start, 'UTC')) AS time,
    toUInt16(floor(log(greatest(duration, 1)) / log(1.02))) AS bucket,
    count() AS count, countIf(status = 2) AS errors, sum(toFloat64(greatest(duration, 0))) AS sum_ns
  FROM {db}.spans AS s
  GROUP BY cityHash64(cityHash64(s.service), cityHash64(s.name)), kind, is_root, time, bucket`,

  `DROP VIEW IF EXISTS {db}.red_day_of_hours SYNC`,
  `DROP TABLE IF EXISTS {db}.red_day SYNC`,
  `CREATE TABLE {db}.red_day (
    service LowCardinality(String) CODEC(ZSTD(1)),
    name LowCardinality(String) CODEC(ZSTD(1)),
    kind UInt8 CODEC(ZSTD(1)),
    is_root UInt8 CODEC(ZSTD(1)),
    time DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    bucket UInt16 CODEC(Delta(2), ZSTD(1)),
    count UInt64 CODEC(T64, ZSTD(1)),
    errors UInt64 CODEC(T64, ZSTD(1)),
    sum_ns Float64 CODEC(ZSTD(1))
  ) ENGINE = SummingMergeTree((count, errors, sum_ns))
  PARTITION BY toStartOfMonth(time)
  ORDER BY (service, name, kind, is_root, time, bucket)
  SETTINGS ${KEEP_BY_TIME}`,
  `INSERT INTO {db}.red_day (service, name, kind, is_root, time, bucket, count, errors, sum_ns) ${DAY_OF_HOURS}`,
  `CREATE MATERIALIZED VIEW {db}.red_day_of_hours TO {db}.red_day AS
  ${DAY_OF_HOURS}`,

  /* Calls between services by the minute, an hour at a time when it is over; `edge_hours` tells which hours are in. */
  `CREATE TABLE {db}.edges (
    caller LowCardinality(String) CODEC(ZSTD(1)),
    callee LowCardinality(String) CODEC(ZSTD(1)),
    operation LowCardinality(String) CODEC(ZSTD(1)),
    time DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    count UInt64 CODEC(T64, ZSTD(1)),
    errors UInt64 CODEC(T64, ZSTD(1)),
    sum_ns Float64 CODEC(ZSTD(1))
  ) ENGINE = SummingMergeTree((count, errors, sum_ns))
  PARTITION BY toStartOfMonth(time)
  ORDER BY (caller, callee, operation, time)
  SETTINGS ${KEEP_BY_TIME}`,
  `CREATE TABLE {db}.edge_hours (
    time DateTime('UTC'),
    spans UInt64
  ) ENGINE = ReplacingMergeTree
  ORDER BY time
  SETTINGS ${KEEP}`,

  /* A database's statements, each once: what it says, and how it was planned last. */
  `CREATE TABLE {db}.statements (
    service LowCardinality(String),
    database LowCardinality(String),
    id String,
    text String CODEC(ZSTD(3)),
    plan String CODEC(ZSTD(3)),
    seen DateTime64(9, 'UTC')
  ) ENGINE = ReplacingMergeTree(seen)
  ORDER BY (service, database, id)
  SETTINGS ${KEEP}`,

  /* What a setting was from a time on; a row per change. */
  `CREATE TABLE {db}.settings (
    service LowCardinality(String),
    instance LowCardinality(String),
    name LowCardinality(String),
    value String CODEC(ZSTD(1)),
    source LowCardinality(String),
    time DateTime64(9, 'UTC')
  ) ENGINE = MergeTree
  ORDER BY (service, instance, name, time)
  SETTINGS ${KEEP}`,

  /* Deploys, change points and what else happened; a later row replaces the one before. */
  `CREATE TABLE {db}.events (
    id String,
    time DateTime64(9, 'UTC'),
    kind LowCardinality(String),
    service LowCardinality(String),
    title String CODEC(ZSTD(1)),
    json String CODEC(ZSTD(3)),
    saved DateTime64(9, 'UTC') DEFAULT now64(9, 'UTC')
  ) ENGINE = ReplacingMergeTree(saved)
  ORDER BY id
  SETTINGS ${KEEP}`,

  /* Where items have gone: totals since the first start, as of a time. Outcomes and reasons: src/ingest/ledger.ts. */
  `CREATE TABLE {db}.ledger (
    signal LowCardinality(String),
    outcome LowCardinality(String),
    reason LowCardinality(String),
    time DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    items UInt64 CODEC(Delta(8), ZSTD(1))
  ) ENGINE = MergeTree
  PARTITION BY toStartOfMonth(time)
  ORDER BY (signal, outcome, reason, time)
  SETTINGS ${KEEP_BY_TIME}`,
];
