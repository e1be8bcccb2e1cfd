import { MetricKind } from "../model/metric-table.ts";

/**
 * What the diagnosis asks of metrics, whatever they are called and in whatever unit they come.
 * Times are seconds, sizes bytes, shares 0 .. 1, rates per second.
 */
export type Measure =
  /** cores in use; time counted per second of the clock is the same */
  | "cpu-used"
  /** share of its own limit, or of the machine where it has none */
  | "cpu-share"
  | "cpu-limit"
  | "host-cpu-busy"
  | "host-cpu-idle"
  | "host-cpu-share"
  /** threads that want a processor */
  | "run-queue"
  /** seconds per second in which a quota stopped it, and the share of its periods */
  | "throttled-time"
  | "throttled-periods"
  | "quota-periods"
  | "throttled-share"
  | "memory-used"
  | "memory-limit"
  | "memory-share"
  | "host-memory-share"
  | "heap-used"
  | "heap-limit"
  | "swap-rate"
  | "gc-time"
  /** seconds per second in which it runs and in which it waits for something to do */
  | "event-loop-active"
  | "event-loop-idle"
  | "event-loop-share"
  | "event-loop-delay"
  | "pool-used"
  | "pool-idle"
  | "pool-max"
  | "pool-waiting"
  | "pool-wait"
  | "pool-timeouts"
  | "threads-used"
  | "threads-max"
  | "queue-depth"
  | "disk-busy"
  | "disk-bytes"
  | "network-bytes"
  | "network-errors"
  | "system-calls"
  | "db-connections"
  | "db-connections-max"
  | "db-rows"
  | "db-scans"
  | "request-rate"
  /** seconds of requests per second: the mean in flight, and with the rate the mean duration */
  | "request-time"
  | "request-mean"
  | "request-tail"
  | "request-failed"
  | "request-failed-share"
  | "call-rate"
  | "call-time"
  | "call-mean"
  | "call-tail"
  /** requests per second from one service to another, as service-graph generators count them */
  | "edge-rate"
  | "edge-failed";

/** How series of one measure of one instance become one. */
export type Combine = "sum" | "max" | "mean";

/** What a unit says: the dimension, and what a value is to be multiplied with. */
export interface Unit {
  readonly dimension: "time" | "bytes" | "share" | "cores" | "count" | "unknown";
  readonly scale: number;
  readonly perSecond: boolean;
}

/** A metric's name in its parts. */
export interface MetricName {
  /** lower case, words by "_", without "total", unit and statistic */
  readonly name: string;
  readonly unit: Unit;
  /** a statistic that was made of the measure before it was sent: "p99", "mean", "max"; "" for none */
  readonly statistic: string;
}

export interface Meaning {
  readonly measure: Measure;
  readonly combine: Combine;
  readonly scale: number;
  /** the value is 1 minus the measure */
  readonly inverted: boolean;
  /** a label whose value names the resource: a pool, device, table, queue */
  readonly resource: readonly string[];
}

interface Rule {
  /** undefined: known, and not asked for */
  readonly measure: Measure | undefined;
  readonly name: RegExp;
  /** which of the values of a label count here; a series without the label counts */
  readonly where?: readonly [label: RegExp, value: RegExp];
  readonly dimension?: Unit["dimension"];
  readonly combine?: Combine;
  readonly inverted?: boolean;
  readonly resource?: readonly string[];
}

const POOL = ["db.client.connection.pool.name", "pool.name", "pool_name", "pool", "hikaricp_pool", "name"];
const TABLE = ["postgresql.table.name", "table", "relname", "postgresql_table_name"];
const DEVICE = ["system.device", "device", "disk.device"];
const QUEUE = ["messaging.destination.name", "queue", "topic", "messaging.destination.partition.id", "partition"];
const STATE = /(^|[._])(state|mode|type)$/;
const IDLE = /^(idle|iowait|io[-_ ]?wait|steal_idle)$/i;

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
const RULES: readonly Rule[] = [
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
    name: /^(postgres(ql)?|pg|mysql|mongodb|redis|oracledb|sqlserver).*(backends|connections?(_count)?|connected_clients|connected|threads_connected|numbackends)$/,
  },
  {
    measure: "db-rows",
    name: /^(postgresql_rows|pg_stat_user_tables_n_live_tup|mysql_table_rows?|.*table.*rows?)$/,
    where: [STATE, /^live$/i],
    combine: "max",
    resource: TABLE,
  },
  {
    measure: "db-scans",
    name: /^(postgresql_sequential_scans|pg_stat_user_tables_seq_scan|mysql.*full_?(table_)?scan.*)$/,
    resource: TABLE,
  },

  { measure: "threads-max", name: /(thread|worker|executor).*(max|limit|size)$/, combine: "sum" },
  { measure: "threads-used", name: /(thread|worker|executor).*(busy|active|used|in_use)/, combine: "sum" },
  {
    measure: "queue-depth",
    name: /(queue|backlog|consumer|topic|mailbox|executor).*(depth|length|size|lag|messages|queued|waiting|backlog|count)|(lag|backlog|queued)$|messages_(ready|visible|pending)/,
    combine: "sum",
    resource: QUEUE,
  },

  { measure: "disk-busy", name: /disk.*(io_time|busy|utili[sz]ation)|disk_io_time/, combine: "max", resource: DEVICE },
  {
    measure: "disk-bytes",
    name: /(disk|fs|filesystem|block|blkio|volume).*(io|read|writ|bytes)/,
    dimension: "bytes",
    resource: DEVICE,
  },
  { measure: "network-errors", name: /net(work)?.*(error|drop|retrans|loss)|tcp.*retrans/ },
  { measure: "network-bytes", name: /net(work)?.*(io|bytes|receive|transmit|recv|sent|rx|tx|in|out)|^(rx|tx)$/ },
  { measure: "system-calls", name: /sys_?call/ },

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
const IGNORED: readonly RegExp[] = [
  /^process_cpu_(user|system)$/,
  /active_requests|requests_(active|in_flight|in_progress)|inflight/,
  /heap_space|(_|^)(size|body)$|(_|^)stddev$/,
];

/** Meaning of a series of this name with these labels of its own, without those of its resource; undefined for what nothing asks for. */
export function meaningOf(
  metric: MetricName,
  kind: MetricKind,
  labels: ReadonlyMap<string, string>,
): Meaning | undefined {
  if (IGNORED.some((pattern) => pattern.test(metric.name))) return undefined;
  for (const rule of RULES) {
    if (!rule.name.test(metric.name)) continue;
    if (rule.dimension !== undefined && !fits(rule.dimension, metric.unit, kind)) continue;
    if (rule.where !== undefined && !holds(rule.where, labels)) continue;
    return rule.measure === undefined ? undefined : withStatistic(rule, rule.measure, metric, kind);
  }
  return undefined;
}

/** A unit that was not said fits time and bytes of distributions, and shares of gauges, by the name alone. */
function fits(dimension: Unit["dimension"], unit: Unit, kind: MetricKind): boolean {
  if (unit.dimension !== "unknown") return unit.dimension === dimension;
  if (dimension === "time") return kind >= MetricKind.histogram;
  return dimension === "bytes" || (dimension === "share" && kind === MetricKind.gauge);
}

function holds([label, value]: readonly [RegExp, RegExp], labels: ReadonlyMap<string, string>): boolean {
  for (const [key, text] of labels) if (label.test(key)) return value.test(text);
  // `STATE, /./` asks for the label itself.
  return value.source !== "." && value.source !== IDLE.source;
}

const OF_TAIL: Partial<Record<Measure, Measure>> = { "request-time": "request-tail", "call-time": "call-tail" };
const OF_MEAN: Partial<Record<Measure, Measure>> = { "request-time": "request-mean", "call-time": "call-mean" };

function withStatistic(
  rule: Rule,
  said: Measure,
  { statistic, unit }: MetricName,
  kind: MetricKind,
): Meaning | undefined {
  let measure = said;
  let combine: Combine = rule.combine ?? "sum";
  const isTimed = measure === "request-time" || measure === "call-time";
  const isTail = /^(p9|max|p100|q0?9)/.test(statistic);
  if (statistic === "min" || (measure === "event-loop-delay" && statistic !== "" && !isTail)) return undefined;
  if (isTimed && (statistic !== "" || kind === MetricKind.gauge)) {
    if (/^(p[1-8]|q0?[1-8]|median)/.test(statistic) && statistic !== "p50" && statistic !== "median") return undefined;
    measure = (isTail ? OF_TAIL[measure] : OF_MEAN[measure]) ?? measure;
    combine = isTail ? "max" : "mean";
  }
  return { measure, combine, scale: unit.scale, inverted: rule.inverted === true, resource: rule.resource ?? [] };
}

const UNITS: readonly (readonly [RegExp, Unit["dimension"], number])[] = [
  [/^(s|sec|secs|seconds?)$/i, "time", 1],
  [/^(ms|msec|milliseconds?|millis)$/i, "time", 1e-3],
  [/^(us|µs|μs|microseconds?)$/i, "time", 1e-6],
  [/^(ns|nanoseconds?)$/i, "time", 1e-9],
  [/^(m|min|minutes?)$/, "time", 60],
  [/^(by|b|bytes?)$/i, "bytes", 1],
  [/^(kby|kb|kilobytes?)$/i, "bytes", 1e3],
  [/^(kiby|kib)$/i, "bytes", 1024],
  [/^(mby|mb|megabytes?)$/i, "bytes", 1e6],
  [/^(miby|mib)$/i, "bytes", 1024 ** 2],
  [/^(giby|gib|gby|gb|gigabytes?)$/i, "bytes", 1024 ** 3],
  [/^(%|percent)$/i, "share", 0.01],
  [/^(1|ratio)$/i, "share", 1],
  [/^(\{?(v?cpus?|cores?)\}?)$/i, "cores", 1],
  [/^(mcores?|millicores?|\{?millicpu\}?)$/i, "cores", 1e-3],
];

export function unitOf(text: string): Unit {
  const perSecond = /(\/s|\/sec|_per_second|ps)$/i.test(text) && text.length > 2;
  const bare = perSecond ? text.replace(/(\/s|\/sec|_per_second|ps)$/i, "") : text;
  for (const [pattern, dimension, scale] of UNITS) if (pattern.test(bare)) return { dimension, scale, perSecond };
  return { dimension: bare === "" ? "unknown" : "count", scale: 1, perSecond };
}

const SUFFIX_UNITS =
  /_(seconds|milliseconds|millis|ms|microseconds|nanoseconds|bytes|kilobytes|megabytes|percent|ratio|cores|millicores)$/;
const STATISTIC = /_(p\d{1,3}|q\d{1,3}|mean|avg|average|median|max|min|minimum|maximum)$/;

/** Takes a name apart: `process_cpu_seconds_total`, `http.server.request.duration.p99`. */
export function parseName(text: string, unit: string): MetricName {
  let name = text
    .replaceAll(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replace(/^_|_$/g, "")
    .replace(/_total$/, "");
  // A maximum of a pool is a setting, of a duration a statistic.
  const found = /(duration|latency|time|delay|lag|mean|response|seconds|ms)_[a-z0-9]+$/.test(name)
    ? STATISTIC.exec(name)
    : null;
  let statistic = found?.[1] ?? "";
  name = name.slice(0, name.length - (found?.[0].length ?? 0));
  const suffix = SUFFIX_UNITS.exec(name);
  if (suffix !== null) name = name.slice(0, -suffix[0].length);
  const late = statistic === "" && suffix !== null ? STATISTIC.exec(name) : null;
  if (late !== null && /duration|latency|time|delay/.test(name)) {
    statistic = late[1]!;
    name = name.slice(0, -late[0].length);
  }
  const said = unitOf(unit);
  return { name, unit: said.dimension === "unknown" && suffix !== null ? unitOf(suffix[1]!) : said, statistic };
}
