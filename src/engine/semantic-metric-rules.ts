import type { Measure } from "./semantic-measures.ts";

/** How series of one measure of one instance become one. */
export type Combine = "sum" | "max" | "mean";

export type Dimension = "time" | "bytes" | "share" | "cores" | "count" | "unknown";

/** A row of the table. */
export interface Rule {
  /** undefined: known, and not asked for */
  readonly measure: Measure | undefined;
  readonly name: RegExp;
  /** which of the values of a label count here; a series without the label counts */
  readonly where?: readonly [label: RegExp, value: RegExp];
  readonly dimension?: Dimension;
  readonly combine?: Combine;
  readonly inverted?: boolean;
  readonly resource?: readonly string[];
}

const POOL = ["db.client.connection.pool.name", "pool.name", "pool_name", "pool", "hikaricp_pool", "name"];
const TABLE = ["postgresql.table.name", "table", "relname", "postgresql_table_name"];
const MOUNT = ["system.filesystem.mountpoint", "mountpoint", "device"];
const DEVICE = ["system.device", "device", "disk.device"];
const QUEUE = ["messaging.destination.name", "queue", "topic", "messaging.destination.partition.id", "partition"];
const SOURCE = /(^|[._])source$/;
const DIRECTION = /(^|[._])direction$/;
const STATE = /(^|[._])(state|mode|type)$/;
export const IDLE: RegExp = /^(idle|iowait|io[-_ ]?wait|steal_idle)$/i;

/** Of statements, sessions, tables and settings of a database: what src/engine/database reads. */
export const DATABASE_STATISTICS: RegExp =
  /^postgresql_(statement|wait|lock|plan|collector|setting|io|wal|index|block|table_(count|left_out|sequential|index|modified|vacuum|analyze|size))(_|$)/;

/**
 * The table: first match wins. Names old and new stand in one row; where a name is
 * of no convention, the words and the unit decide, so that what another system calls its
 * processor time is still processor time.
 *
 * Sources: OpenTelemetry semantic conventions 1.20 to 1.37 (system, process, container,
 * k8s, db client, http, jvm, nodejs, v8js), the Collector's hostmetrics, kubeletstats,
 * dockerstats and postgresql receivers, cAdvisor, node_exporter, prom-client,
 * Micrometer, HikariCP, and the service-graph and span-metrics connectors.
 */
export const RULES: readonly Rule[] = [
  { measure: "db-buffer-size", name: /^postgresql_setting_shared_buffers$/, dimension: "bytes", combine: "max" },
  {
    measure: undefined,
    name: DATABASE_STATISTICS,
  },
  // What the runtime makes of its processors, before what the processors do.
  {
    measure: "runtime-threads",
    name: /gomaxprocs|^(process_runtime_)?go_processor_limit$|^(process_runtime_)?jvm_cpu_count$|^dotnet_process_cpu_count$|^system_cpu_count$/,
    combine: "max",
  },
  // Microseconds of a period whose length is another metric: kube-state-metrics tells the same in cores.
  { measure: undefined, name: /spec_cpu_(quota|period|shares)$/ },
  // kube-state-metrics 2: one name for all that a container may have at most.
  {
    measure: "cpu-limit",
    name: /^kube_pod_container_resource_limits$/,
    where: [/^resource$/, /^cpu$/],
  },
  {
    measure: "memory-limit",
    name: /^kube_pod_container_resource_limits$/,
    where: [/^resource$/, /^memory$/],
  },
  { measure: "runnable-main", name: /^process_linux_cpu_wait/, where: [/^longpole.thread$/, /^main$/] },
  { measure: "runnable-others", name: /^process_linux_cpu_wait/ },
  // Throttling first: its names hold "cpu" as well.
  { measure: "throttled-share", name: /throttl.*(ratio|share|percent|utili[sz]ation)/, combine: "max" },
  { measure: "quota-periods", name: /(cfs|throttling_data|cpu)_(nr_)?periods$/ },
  { measure: "throttled-periods", name: /throttl.*period|nr_throttled/ },
  { measure: "throttled-time", name: /throttl/ },
  {
    measure: "cpu-limit",
    name: /cpu.*(limit|quota)(_cores)?$|(resource_limits|limits)_cpu|cpu_quota/,
    dimension: "cores",
  },
  {
    measure: "run-queue",
    name: /(load_average|load)_?(1m|1)$|run_?queue|procs_running|processes_running/,
    combine: "max",
  },

  {
    measure: "host-cpu-idle",
    name: /^(system|host|node|machine|vm|ec2|windows)_cpu(_(time|utili[sz]ation|usage))?$/,
    where: [STATE, IDLE],
  },
  {
    measure: "host-cpu-busy",
    name: /^(system|host|node|machine|vm|windows)_cpu(_(time|utili[sz]ation|usage))?$/,
    where: [STATE, /./],
  },
  {
    measure: "host-cpu-busy",
    name: /^(system|host|node|machine|vm|k8s_node|ecs_instance)_cpu_(time|usage)$/,
    dimension: "time",
  },
  { measure: "host-cpu-busy", name: /^(system|host|node|machine|k8s_node)_cpu_usage$/, dimension: "cores" },
  {
    measure: "host-cpu-share",
    name: /^(system|host|node|machine|vm|k8s_node|ecs_instance)_.*cpu.*/,
    dimension: "share",
    combine: "max",
  },

  { measure: "cpu-used", name: /cpu/, dimension: "time" },
  { measure: "cpu-used", name: /cpu/, dimension: "cores" },
  { measure: "cpu-used", name: /^k8s_(pod|container)_cpu_utili[sz]ation$|^container_cpu_usage$|^pod_cpu_usage$/ },
  {
    measure: "cpu-share",
    name: /cpu.*(limit|quota|reserv)|cpu.*(utili[sz]ation|usage|percent|load|share|ratio)|(utili[sz]ation|usage|percent|load)_.*cpu|^cpu$/,
    combine: "max",
  },

  { measure: "gc-time", name: /(^|_)(gc|garbage)(_|.*(duration|pause|time|seconds))/, dimension: "time" },
  { measure: "event-loop-active", name: /event_?loop_time$/, where: [STATE, /^active$/i] },
  { measure: "event-loop-idle", name: /event_?loop_time$/, where: [STATE, /^idle$/i] },
  { measure: "event-loop-share", name: /event_?loop_(utili[sz]ation|load|busy)/, combine: "max" },
  { measure: "event-loop-delay", name: /event_?loop_?(lag|delay|latency)/, combine: "max" },

  { measure: "heap-limit", name: /heap.*(limit|max|size_limit)|^jvm_memory_(limit|max)$/, dimension: "bytes" },
  { measure: "heap-used", name: /heap.*used(_size)?$|^jvm_memory_used$/, dimension: "bytes" },
  {
    measure: "swap-share",
    name: /^(system|host)_(paging|swap)_utili[sz]ation$/,
    dimension: "share",
    where: [STATE, /^used$/i],
    combine: "max",
  },
  { measure: "swap-rate", name: /swap.*(in|out|operations)|pswp|paging_operations|pages_swapped/ },
  { measure: "memory-limit", name: /(memory|mem).*(limit|quota)(_bytes)?$|spec_memory_limit/, dimension: "bytes" },
  {
    measure: "host-memory-share",
    name: /^(system|host|node|machine|vm|k8s_node)_mem(ory)?.*(utili[sz]ation|percent|ratio|share)/,
    dimension: "share",
    where: [STATE, /^used$/],
    combine: "max",
  },
  { measure: undefined, name: /^(system|host|node|machine|vm)_mem(ory)?_/ },
  {
    measure: "memory-used",
    name: /resident|rss|working_set|mem(ory)?_(usage|used)$|^(process|container|k8s_pod|pod)_(physical_)?mem(ory)?$/,
    dimension: "bytes",
  },
  {
    measure: "memory-share",
    name: /mem(ory)?.*(utili[sz]ation|percent|ratio|share|pressure)|(utili[sz]ation|percent).*mem(ory)?|^(container|process|pod)?_?mem(ory)?(_usage)?$/,
    dimension: "share",
    combine: "max",
  },

  {
    measure: "pool-wait",
    name: /(connection|pool).*(wait_time|wait_duration|acquire_duration|acquisition|acquire)/,
    dimension: "time",
    combine: "max",
    resource: POOL,
  },
  { measure: "connection-life", name: /^http_client_connection_duration$/, dimension: "time", combine: "mean" },
  { measure: "pool-timeouts", name: /(connection|pool).*timeout/, resource: POOL },
  { measure: "pool-waiting", name: /(connections?|pool|hikaricp).*(pending|waiting|waiters|queued)/, resource: POOL },
  {
    measure: "pool-max",
    name: /^(db_client|pool|hikaricp|c3p0|jdbc|sql|dbcp|go_sql|connection_pool|r2dbc).*(max|limit|size)(_open)?(_connections)?$/,
    resource: POOL,
  },
  { measure: "pool-idle", name: /^db_client_connections?_(usage|count)$/, where: [STATE, /^idle$/i], resource: POOL },
  { measure: "pool-used", name: /^db_client_connections?_(usage|count)$/, where: [STATE, /^used$/i], resource: POOL },
  { measure: "pool-idle", name: /^(hikaricp|c3p0|jdbc|sql|dbcp|go_sql|connection_pool|r2dbc).*idle/, resource: POOL },
  {
    measure: "pool-used",
    name: /^(hikaricp|c3p0|jdbc|sql|dbcp|go_sql|connection_pool|r2dbc|pool).*(active|in_use|used|busy|acquired)/,
    resource: POOL,
  },

  {
    measure: "db-connections-max",
    name: /^(postgres(ql)?|pg|mysql|mongodb|redis|oracledb|sqlserver).*(connections?_max|max_connections|connections?_limit)/,
    combine: "max",
  },
  {
    measure: "db-connections",
    name: /^(postgres(ql)?|pg|mysql|mongodb|redis|oracledb|sqlserver).*(backends|connections?(_count)?|connected_clients|connected|threads_connected|numbackends|stat_activity_count)$/,
  },
  {
    measure: "db-rows",
    name: /^(postgresql_rows|pg_stat_user_tables_n_live_tup|mysql_table_rows?|.*table.*rows?)$/,
    where: [STATE, /^live$/i],
    combine: "max",
    resource: TABLE,
  },
  {
    measure: "db-dead-rows",
    name: /^(postgresql_rows|pg_stat_user_tables_n_dead_tup)$/,
    where: [STATE, /^dead$/i],
    combine: "max",
    resource: TABLE,
  },
  {
    measure: "db-buffer-hits",
    name: /^(postgresql_blocks_read|postgresql_blks_hit|pg_stat_database_blks_hit|pg_statio_user_tables_(heap|idx)_blocks_hit)$/,
    where: [SOURCE, /_?hit$/i],
  },
  {
    measure: "db-buffer-reads",
    name: /^(postgresql_blocks_read|postgresql_blks_read|pg_stat_database_blks_read|pg_statio_user_tables_(heap|idx)_blocks_read)$/,
    where: [SOURCE, /_?read$/i],
  },
  { measure: "db-buffer-size", name: /^pg_settings_shared_buffers$/, dimension: "bytes", combine: "max" },
  {
    measure: "db-checkpoints-requested",
    name: /^(postgresql_bgwriter_checkpoint_count|pg_stat_(bgwriter|checkpointer)_(checkpoints|num)_(req|requested))$/,
    where: [STATE, /^requested$/i],
  },
  {
    measure: "db-checkpoints-timed",
    name: /^(postgresql_bgwriter_checkpoint_count|pg_stat_(bgwriter|checkpointer)_(checkpoints|num)_timed)$/,
    where: [STATE, /^scheduled$/i],
  },
  { measure: "db-temp-files", name: /^(postgresql_temp_files|pg_stat_database_temp_files)$/ },
  { measure: "db-temp-bytes", name: /^(postgresql_temp_io|pg_stat_database_temp)$/, dimension: "bytes" },
  {
    measure: "db-scans",
    name: /^(postgresql_sequential_scans|pg_stat_user_tables_seq_scan|mysql.*full_?(table_)?scan.*)$/,
    resource: TABLE,
  },

  // Before the queues of executors, whose names hold "queue" and "resource" as well.
  {
    measure: "uv-requests",
    name: /^v8js_resource_active$/,
    where: [STATE, /^(FSReq|GetAddrInfoReq|GetNameInfoReq|Zlib|Worker(?!Handle))|(Job|Cipher)$/],
  },
  {
    measure: "fds-used",
    name: /(open_fds|open_file_descriptors?(_count)?|unix_file_descriptor_count|process_files_open)$/,
  },
  { measure: "fds-max", name: /(max_fds|file_descriptors?_(limit|max)|process_files_max)$/, combine: "max" },
  { measure: "host-listen-overflows", name: /listen_?(overflows?|drops?)$/, combine: "max" },
  { measure: "host-time-wait", name: /tcp_(tw|time_?wait)$/, combine: "max" },
  {
    measure: "host-time-wait",
    name: /^(system|host|node)_network_connections?(_count)?$/,
    where: [STATE, /^time_?wait$/i],
    combine: "max",
  },
  { measure: undefined, name: /^(system|host|node)_network_connections?(_count)?$/ },
  { measure: "oom-kills", name: /oom_(events|kills?)$|oom_killed$/ },

  { measure: "threads-max", name: /(thread|worker|executor).*(max|limit|size)$/, combine: "sum" },
  { measure: "threads-used", name: /(thread|worker|executor).*(busy|active|used|in_use)/, combine: "sum" },
  {
    measure: "queue-depth",
    name: /(queue|backlog|consumer|topic|mailbox|executor).*(depth|length|size|lag|messages|queued|waiting|backlog|count)|(lag|backlog|queued)$|messages_(ready|visible|pending)/,
    combine: "sum",
    resource: QUEUE,
  },

  { measure: "disk-share", name: /filesystem_utili[sz]ation$/, dimension: "share", combine: "max", resource: MOUNT },
  {
    measure: "disk-used",
    name: /^(system|k8s_node|k8s_pod|container)_(filesystem|fs)_usage$/,
    where: [STATE, /^used$/i],
    combine: "max",
    resource: MOUNT,
  },
  {
    measure: "disk-free",
    name: /^system_filesystem_usage$|^(k8s_node|k8s_pod|container)_filesystem_available$|^node_filesystem_avail$/,
    where: [STATE, /^free$/i],
    combine: "max",
    resource: MOUNT,
  },
  {
    measure: "disk-limit",
    name: /^(k8s_node|k8s_pod|container|node)_(filesystem|fs)_(capacity|limit|size)$/,
    combine: "max",
    resource: MOUNT,
  },
  { measure: "disk-busy", name: /disk.*(io_time|busy|utili[sz]ation)|disk_io_time/, combine: "max", resource: DEVICE },
  // Before bytes, of which no unit and a name with "read" in it would tell as well.
  {
    measure: "disk-reads",
    name: /^(system_disk_operations|node_disk_reads_completed)$/,
    where: [DIRECTION, /^read$/i],
    resource: DEVICE,
  },
  {
    measure: "disk-bytes",
    name: /(disk|fs|filesystem|block|blkio|volume).*(io|read|writ|bytes)/,
    dimension: "bytes",
    resource: DEVICE,
  },
  { measure: "network-limit", name: /^node_network_speed$|^hw_network_bandwidth_limit$/, combine: "max" },
  { measure: "network-errors", name: /net(work)?.*(error|drop|retrans|loss)|tcp.*retrans/ },
  { measure: "network-bytes", name: /net(work)?.*(io|bytes|receive|transmit|recv|sent|rx|tx|in|out)|^(rx|tx)$/ },
  { measure: "system-calls", name: /sys_?call/ },

  // What a program counts of its own work: only counters (meaningOf).
  {
    measure: "work-done",
    name: /(^|_)(points|rows|messages|records|items|events|samples|lines|documents|jobs)(_(received|accepted|processed|consumed|sent|produced|inserted|written|handled|ingested|completed|count))?$/,
  },

  // Requests that a service answers; names of its own calls hold "client".
  { measure: "edge-failed", name: /service_?graph.*(fail|error)/, combine: "sum" },
  { measure: "edge-rate", name: /service_?graph.*request$|service_?graph_(calls|requests?)(_count)?$/, combine: "sum" },
  { measure: "request-time", name: /service_?graph.*server/, dimension: "time" },
  {
    measure: "call-time",
    name: /(client|outgoing|outbound|upstream).*(duration|latency|time|response)/,
    dimension: "time",
  },
  { measure: "call-rate", name: /(client|outgoing|outbound|upstream).*(request|call|rpc)/ },
  {
    measure: "request-failed-share",
    name: /availab|success.*(rate|ratio|share|percent)/,
    inverted: true,
    combine: "max",
  },
  {
    measure: "request-failed-share",
    name: /(error|fail|fault).*(rate|ratio|share|percent)/,
    dimension: "share",
    combine: "max",
  },
  {
    measure: "request-failed",
    name: /(request|http|rpc|call|span|response|server).*(error|fail|fault|5xx)|^(errors?|faults?|failures?)(_count)?$/,
  },
  {
    measure: "request-time",
    name: /(request|http|rpc|server|response|call|service|endpoint|api|latency|duration).*(duration|latency|time|response)|^(latency|duration|response_time)$|grpc_server_handling|messaging_process_duration|^traces_span_?metrics_(duration|latency)/,
    dimension: "time",
  },
  {
    measure: "request-rate",
    name: /^(http_)?(server|request|http|rpc|call|grpc).*(requests?|rate|count|calls?|throughput|handled|started)$|^(requests?|calls?|throughput|rps|qps|traces_span_?metrics_calls)(_(rate|count))?$/,
  },
];

/** Parts of what another metric has whole, numbers at one moment that look like rates, and what nothing is made of. */
export const IGNORED: readonly RegExp[] = [
  // What the agent says of itself and of its own ways of counting; processors are known by their times.
  /^longpole_(agent|process|host)_|^system_cpu_(logical|physical)_count$/,
  /^process_cpu_(user|system)$/,
  /active_requests|requests_(active|in_flight|in_progress)|inflight/,
  /heap_space|(?<!filesystem)(_|^)(size|body)$|(_|^)stddev$/,
];
