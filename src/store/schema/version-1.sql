-- The tables of schema version 1, as released. Tests migrate stores that were made by this.
CREATE TABLE {db}.spans (
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(NONE),
    parent_id FixedString(8) CODEC(ZSTD(1)),
    start DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    duration Int64 CODEC(ZSTD(1)),
    kind UInt8 CODEC(ZSTD(1)),
    status UInt8 CODEC(ZSTD(1)),
    name LowCardinality(String) CODEC(ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    resource LowCardinality(String) CODEC(ZSTD(1)),
    scope LowCardinality(String) CODEC(ZSTD(1)),
    trace_state String CODEC(ZSTD(1)),
    shape LowCardinality(String) CODEC(ZSTD(1)),
    labels Array(LowCardinality(String)) CODEC(ZSTD(1)),
    texts Array(String) CODEC(ZSTD(1)),
    numbers Array(Float64) CODEC(ZSTD(1)),
    events String CODEC(ZSTD(1)),
    links String CODEC(ZSTD(1))
  ) ENGINE = MergeTree
  PARTITION BY toStartOfInterval(start, toIntervalHour(6))
  ORDER BY (toStartOfHour(start), cityHash64(trace_id))
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE TABLE {db}.entries (
    service LowCardinality(String) CODEC(ZSTD(1)),
    name LowCardinality(String) CODEC(ZSTD(1)),
    start DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    duration Int64 CODEC(ZSTD(1)),
    status UInt8 CODEC(ZSTD(1)),
    trace_id FixedString(16) CODEC(NONE),
    INDEX by_start start TYPE minmax GRANULARITY 1
  ) ENGINE = MergeTree
  PARTITION BY toStartOfInterval(start, toIntervalHour(6))
  ORDER BY (service, name, start)
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW {db}.entries_of_spans TO {db}.entries AS
  SELECT service, name, start, duration, status, trace_id
  FROM {db}.spans
  WHERE kind IN (2, 5) OR status = 2 OR parent_id = toFixedString('', 8);

CREATE TABLE {db}.red_minute (
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
  PARTITION BY toStartOfInterval(time, toIntervalHour(6))
  ORDER BY (service, name, kind, is_root, time, bucket)
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE TABLE {db}.red_hour (
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
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW {db}.red_minute_of_spans TO {db}.red_minute AS
  SELECT service, name, kind, parent_id = toFixedString('', 8) AS is_root,
    toStartOfMinute(toDateTime(start, 'UTC')) AS time,
    toUInt16(floor(log(greatest(duration, 1)) / log(1.02))) AS bucket,
    count() AS count, countIf(status = 2) AS errors, sum(toFloat64(greatest(duration, 0))) AS sum_ns
  FROM {db}.spans
  GROUP BY service, name, kind, is_root, time, bucket;

CREATE MATERIALIZED VIEW {db}.red_hour_of_minutes TO {db}.red_hour AS
  SELECT service, name, kind, is_root, toStartOfHour(time) AS time, bucket,
    sum(count) AS count, sum(errors) AS errors, sum(sum_ns) AS sum_ns
  FROM {db}.red_minute
  GROUP BY service, name, kind, is_root, time, bucket;

CREATE TABLE {db}.series (
    id UInt64,
    name LowCardinality(String),
    service LowCardinality(String),
    unit LowCardinality(String),
    kind UInt8,
    temporality UInt8,
    monotonic UInt8,
    scope LowCardinality(String),
    resource String CODEC(ZSTD(1)),
    labels String CODEC(ZSTD(1)),
    seen DateTime64(9, 'UTC')
  ) ENGINE = ReplacingMergeTree(seen)
  ORDER BY (name, id)
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE {db}.samples (
    series UInt64 CODEC(ZSTD(1)),
    time DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    since DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    value Float64 CODEC(Gorilla(8), ZSTD(1))
  ) ENGINE = MergeTree
  PARTITION BY toStartOfInterval(time, toIntervalHour(6))
  ORDER BY (series, time)
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE TABLE {db}.distributions (
    series UInt64 CODEC(ZSTD(1)),
    time DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    since DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    value Float64 CODEC(ZSTD(1)),
    count Float64 CODEC(ZSTD(1)),
    least Float64 CODEC(ZSTD(1)),
    greatest Float64 CODEC(ZSTD(1)),
    bounds Array(Float64) CODEC(ZSTD(1)),
    counts Array(Float64) CODEC(ZSTD(1))
  ) ENGINE = MergeTree
  PARTITION BY toStartOfInterval(time, toIntervalHour(6))
  ORDER BY (series, time)
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE TABLE {db}.exemplars (
    series UInt64 CODEC(ZSTD(1)),
    time DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    measured DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    value Float64 CODEC(ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(ZSTD(1))
  ) ENGINE = MergeTree
  PARTITION BY toStartOfInterval(time, toIntervalHour(6))
  ORDER BY (series, time)
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE TABLE {db}.profile_samples (
    service LowCardinality(String) CODEC(ZSTD(1)),
    time DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    profile LowCardinality(String) CODEC(ZSTD(1)),
    number UInt64 CODEC(Delta(8), ZSTD(1)),
    stack UInt64 CODEC(ZSTD(1)),
    has_stack UInt8 CODEC(ZSTD(1)),
    types Array(LowCardinality(String)) CODEC(ZSTD(1)),
    values Array(Float64) CODEC(ZSTD(1)),
    default_value UInt8 CODEC(ZSTD(1)),
    offset Float64 CODEC(ZSTD(1)),
    process LowCardinality(String) CODEC(ZSTD(1)),
    thread LowCardinality(String) CODEC(ZSTD(1)),
    labels LowCardinality(String) CODEC(ZSTD(1))
  ) ENGINE = MergeTree
  PARTITION BY toStartOfInterval(time, toIntervalHour(6))
  ORDER BY (service, time)
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE TABLE {db}.stacks (
    stack UInt64,
    frames String CODEC(ZSTD(3)),
    seen DateTime64(9, 'UTC')
  ) ENGINE = ReplacingMergeTree(seen)
  ORDER BY stack
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE {db}.findings (
    id String,
    first_seen DateTime64(9, 'UTC'),
    last_seen DateTime64(9, 'UTC'),
    window_from DateTime64(9, 'UTC'),
    window_to DateTime64(9, 'UTC'),
    json String CODEC(ZSTD(3)),
    score String CODEC(ZSTD(3)),
    saved DateTime64(9, 'UTC') DEFAULT now64(9, 'UTC')
  ) ENGINE = ReplacingMergeTree(saved)
  ORDER BY id
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 10000;
