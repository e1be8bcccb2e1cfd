import { describe, expect, test } from "vitest";
import { MetricKind } from "../model/metric-table.ts";
import { meaningOf, type Measure, parseName, unitOf } from "./semantic-metrics.ts";

const { gauge, sum, histogram, summary } = MetricKind;
type Row = [
  name: string,
  unit: string,
  kind: MetricKind,
  measure: Measure | undefined,
  scale?: number,
  labels?: Record<string, string>,
];

const rows: Row[] = [
  // OpenTelemetry, stable and older.
  ["process.cpu.time", "s", sum, "cpu-used"],
  ["process.cpu.utilization", "1", gauge, "cpu-share"],
  ["system.cpu.time", "s", sum, "host-cpu-idle", 1, { "system.cpu.state": "idle" }],
  ["system.cpu.time", "s", sum, "host-cpu-busy", 1, { "cpu.mode": "user" }],
  ["container.cpu.time", "s", sum, "cpu-used"],
  ["container.cpu.usage", "{cpu}", gauge, "cpu-used"],
  ["container.cpu.usage.total", "ns", sum, "cpu-used", 1e-9],
  ["k8s.pod.cpu.utilization", "1", gauge, "cpu-used"],
  ["k8s.container.cpu_limit_utilization", "1", gauge, "cpu-share"],
  ["k8s.node.cpu.utilization", "1", gauge, "host-cpu-share"],
  ["container.cpu.throttling_data.throttled_time", "ns", sum, "throttled-time", 1e-9],
  ["container.cpu.throttling_data.throttled_periods", "{periods}", sum, "throttled-periods"],
  ["container.cpu.throttling_data.periods", "{periods}", sum, "quota-periods"],
  ["process.memory.usage", "By", sum, "memory-used"],
  ["process.memory.usage", "", gauge, "memory-used"],
  ["container.memory.usage", "By", gauge, "memory-used"],
  ["container.memory.percent", "1", gauge, "memory-share"],
  ["k8s.container.memory_limit_utilization", "1", gauge, "memory-share"],
  ["system.memory.utilization", "1", gauge, "host-memory-share", 1, { state: "used" }],
  ["system.memory.utilization", "1", gauge, undefined, 1, { state: "free" }],
  ["system.memory.usage", "By", gauge, undefined, 1, { state: "used" }],
  ["nodejs.eventloop.utilization", "1", gauge, "event-loop-share"],
  ["nodejs.eventloop.delay.p99", "s", gauge, "event-loop-delay"],
  ["nodejs.eventloop.delay.min", "s", gauge, undefined],
  ["nodejs.eventloop.delay.mean", "s", gauge, undefined],
  ["v8js.gc.duration", "s", histogram, "gc-time"],
  ["v8js.memory.heap.used", "By", sum, "heap-used"],
  ["v8js.memory.heap.limit", "By", sum, "heap-limit"],
  ["v8js.memory.heap.space.available_size", "By", sum, undefined],
  ["jvm.gc.duration", "s", histogram, "gc-time"],
  ["process.runtime.jvm.gc.duration", "ms", histogram, "gc-time", 1e-3],
  ["jvm.memory.used", "By", sum, "heap-used"],
  ["db.client.connection.count", "{connection}", sum, "pool-used", 1, { "db.client.connection.state": "used" }],
  ["db.client.connection.count", "{connection}", sum, "pool-idle", 1, { "db.client.connection.state": "idle" }],
  ["db.client.connections.usage", "{connections}", sum, "pool-used", 1, { state: "used" }],
  ["db.client.connection.max", "{connection}", sum, "pool-max"],
  ["db.client.connection.pending_requests", "{request}", sum, "pool-waiting"],
  ["db.client.connection.wait_time", "s", histogram, "pool-wait"],
  ["postgresql.backends", "1", sum, "db-connections"],
  ["postgresql.connection.max", "{connections}", gauge, "db-connections-max"],
  ["postgresql.rows", "1", sum, "db-rows", 1, { state: "live" }],
  ["postgresql.rows", "1", sum, undefined, 1, { state: "dead" }],
  ["postgresql.sequential_scans", "{sequential_scan}", sum, "db-scans"],
  ["system.disk.io_time", "s", sum, "disk-busy"],
  ["system.disk.io", "By", sum, "disk-bytes"],
  ["system.network.io", "By", sum, "network-bytes"],
  ["system.network.errors", "{errors}", sum, "network-errors"],
  ["http.server.request.duration", "s", histogram, "request-time"],
  ["http.server.duration", "ms", histogram, "request-time", 1e-3],
  ["rpc.server.duration", "ms", histogram, "request-time", 1e-3],
  ["http.server.request.duration", "s", summary, "request-time"],
  ["http.server.active_requests", "{request}", sum, undefined],
  ["http.client.request.duration", "s", histogram, "call-time"],
  ["db.client.operation.duration", "s", histogram, "call-time"],
  // Prometheus: node_exporter, cAdvisor, prom-client, Micrometer, HikariCP, Go's sql, span metrics, service graphs.
  ["node_cpu_seconds_total", "", sum, "host-cpu-busy", 1, { mode: "system" }],
  ["node_disk_io_time_seconds_total", "", sum, "disk-busy"],
  ["container_cpu_usage_seconds_total", "", sum, "cpu-used"],
  ["container_cpu_cfs_throttled_seconds_total", "", sum, "throttled-time"],
  ["container_cpu_cfs_throttled_periods_total", "", sum, "throttled-periods"],
  ["container_cpu_cfs_periods_total", "", sum, "quota-periods"],
  ["container_memory_working_set_bytes", "", gauge, "memory-used"],
  ["process_cpu_seconds_total", "", sum, "cpu-used"],
  ["process_cpu_user_seconds_total", "", sum, undefined],
  ["process_resident_memory_bytes", "", gauge, "memory-used"],
  ["nodejs_eventloop_lag_seconds", "", gauge, "event-loop-delay"],
  ["jvm_gc_pause_seconds", "", histogram, "gc-time"],
  ["hikaricp_connections_active", "", gauge, "pool-used"],
  ["hikaricp_connections_pending", "", gauge, "pool-waiting"],
  ["hikaricp_connections_max", "", gauge, "pool-max"],
  ["go_sql_max_open_connections", "", gauge, "pool-max"],
  ["pg_stat_database_numbackends", "", gauge, "db-connections"],
  ["http_requests_total", "", sum, "request-rate"],
  ["http_request_duration_seconds", "", histogram, "request-time"],
  ["grpc_server_handling_seconds", "", histogram, "request-time"],
  ["traces_spanmetrics_calls_total", "", sum, "request-rate"],
  ["traces_service_graph_request_total", "{request}", sum, "edge-rate"],
  ["traces_service_graph_request_failed_total", "", sum, "edge-failed"],
  // Of no convention: the words and the unit decide.
  ["http.server.request.duration.p90", "s", gauge, "request-tail"],
  ["http.server.request.duration.mean", "s", gauge, "request-mean"],
  ["latency_p99", "ms", gauge, "request-tail", 1e-3],
  ["http.client.request.duration.p99", "s", gauge, "call-tail"],
  ["http.server.request.rate", "{request}/s", gauge, "request-rate"],
  ["http.server.availability", "1", gauge, "request-failed-share"],
  ["error_rate", "1", gauge, "request-failed-share"],
  ["cpu_usage", "%", gauge, "cpu-share", 0.01],
  ["CPUUtilization", "Percent", gauge, "cpu-share", 0.01],
  ["MemoryUtilization", "Percent", gauge, "memory-share", 0.01],
  ["container.network.receive.rate", "By/s", gauge, "network-bytes"],
  ["kafka.consumer.lag", "", gauge, "queue-depth"],
  ["container.syscall.read", "{call}", gauge, "system-calls"],
  ["temperature", "Cel", gauge, undefined],
];

test.each(rows)("%s in %j", (name, unit, kind, measure, scale = 1, labels = {}) => {
  const meaning = meaningOf(parseName(name, unit), kind, new Map(Object.entries(labels)));
  expect(meaning?.measure).toBe(measure);
  if (meaning !== undefined) expect(meaning.scale).toBe(scale);
});

test("availability is the other way round", () => {
  expect(meaningOf(parseName("http.server.availability", "1"), gauge, new Map())?.inverted).toBe(true);
});

describe("units", () => {
  test.each([
    ["ms", { dimension: "time", scale: 1e-3, perSecond: false }],
    ["By/s", { dimension: "bytes", scale: 1, perSecond: true }],
    ["%", { dimension: "share", scale: 0.01, perSecond: false }],
    ["{cpu}", { dimension: "cores", scale: 1, perSecond: false }],
    ["MiBy", { dimension: "bytes", scale: 2 ** 20, perSecond: false }],
    ["{request}", { dimension: "count", scale: 1, perSecond: false }],
    ["", { dimension: "unknown", scale: 1, perSecond: false }],
  ])("%j", (text, want) => {
    expect(unitOf(text)).toEqual(want);
  });
});
