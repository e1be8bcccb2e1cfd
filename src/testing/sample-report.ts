import type { Report } from "../model/report.ts";

/**
 * A report written by hand for the tests of what prints it: ordinary findings first,
 * then one with every unpleasant text that telemetry can hold. Its numbers are invented.
 */
export function sampleReport(): Report {
  return {
    schema: "longpole.report/1",
    window: { startUnixNs: "1790000000000000000", endUnixNs: "1790001800000000000" },
    dataQuality: {
      traces: 12034,
      incompleteTraces: 12,
      spans: 201122,
      orphanSpans: 15,
      skewedHosts: [{ from: "gw-1", to: "orders-2", lowMs: 3.1, highMs: 3.6, appliedMs: 3.35, pairs: 4210 }],
      sampling: "none",
      gates: [{ name: "littles-law", ok: true, detail: "in-flight 12.1, rate times time 12.3" }],
      ledger: {
        received: 201140,
        analysed: 200910,
        incomplete: 212,
        rejected: [{ reason: "span-id-invalid", spans: 18, example: "traces.otlp.pb.gz at byte 81,220: 7 bytes" }],
      },
      warnings: ["3 attribute values were longer than 64 KiB and were cut"],
      complete: true,
    },
    endpoints: [
      {
        service: "gateway",
        operation: "GET /api/customers/:id/orders",
        requests: 10000,
        perSecond: 166.7,
        errorRatio: 0.0012,
        p50Ms: 12.1,
        p95Ms: 130.2,
        p99Ms: 488.4,
        blame: [
          {
            service: "orders",
            operation: "SELECT orders",
            timeKind: "callee",
            p50Ms: 5.1,
            p99Ms: 260.2,
            lowMs: 241,
            highMs: 281,
          },
          {
            service: "orders",
            operation: "pg-pool.connect",
            timeKind: "pool-wait",
            p50Ms: 0.02,
            p99Ms: 141.9,
            lowMs: 120,
            highMs: 166,
          },
          { service: "gateway", operation: "GET", timeKind: "transit", p50Ms: 1.4, p99Ms: 31.3, lowMs: 28, highMs: 35 },
          {
            service: "orders",
            operation: "GET /orders",
            timeKind: "cpu",
            p50Ms: 2.2,
            p99Ms: 24.2,
            lowMs: 21,
            highMs: 27,
          },
          {
            service: "gateway",
            operation: "GET /api/customers/:id/orders",
            timeKind: "unexplained",
            p50Ms: 0.9,
            p99Ms: 22.1,
            lowMs: 18,
            highMs: 26,
          },
          {
            service: "orders",
            operation: "middleware - jsonParser",
            timeKind: "unexplained",
            p50Ms: 0.1,
            p99Ms: 3.1,
            lowMs: 2,
            highMs: 4,
          },
        ],
        baseline: { requests: 9800, p50Ms: 11.9, p95Ms: 30, p99Ms: 61 },
      },
      {
        service: "gateway",
        operation: "POST /api/orders",
        requests: 140,
        perSecond: 2.33,
        errorRatio: 0,
        p50Ms: 41,
        p95Ms: 60,
        p99Ms: 66.1,
        caution: "140 requests: a p99 needs at least 200",
        blame: [],
      },
    ],
    throughput: { status: "insufficient-data", detail: "spans alone" },
    costs: [
      {
        endpoint: { service: "gateway", operation: "GET /api/customers/:id/orders" },
        tenant: "tenant-\u0007 of a very long name that no column of a table has room for",
        tenantAttribute: "tenant.id",
        requestsPerSecond: 166.7,
        cpuSecondsPerSecond: 1.2,
        cpuMsPerRequest: 7.2,
        dbSecondsPerSecond: 2.4,
        dbMsPerRequest: 14.4,
        bytesPerSecond: 2_000_000,
        bytesPerRequest: 12_000,
        share: 0.6,
        low: 0.52,
        high: 0.67,
      },
      {
        endpoint: { service: "gateway", operation: "POST /api/orders" },
        requestsPerSecond: 12.5,
        cpuSecondsPerSecond: 0.3,
        cpuMsPerRequest: 24,
        dbSecondsPerSecond: 0.1,
        dbMsPerRequest: 8,
        bytesPerSecond: 5000,
        bytesPerRequest: 400,
        share: 0.15,
        low: 0.11,
        high: 0.2,
      },
    ],
    costTotals: {
      of: "cpu",
      cpuSecondsPerSecond: 2,
      dbSecondsPerSecond: 2.5,
      bytesPerSecond: 2_005_000,
      unattributed: [
        { service: "batch", resource: "cpu", perSecond: 0.5, share: 0.25, why: "no span tells what it works on" },
      ],
      notMeasured: ["mailer"],
    },
    findings: [scan, pool, calls, unpleasant, note],
    healthy: false,
    checkedNotCause: [
      { what: "retries", detail: "no call is repeated after an error in 10,000 requests" },
      { what: "clock skew", detail: "after the correction, no span leaves its parent by more than 0.4 ms" },
    ],
    unexplained: [{ service: "gateway", p99Ms: 22, collect: "a CPU profile of gateway during slow requests" }],
  };
}

/** The same window without a fault. */
export function healthyReport(): Report {
  const report = sampleReport();
  const { baseline: _, ...endpoint } = report.endpoints[0]!;
  return { ...report, endpoints: [endpoint], findings: [], healthy: true, unexplained: [] };
}

const endpoint = { service: "gateway", operation: "GET /api/customers/:id/orders" };

const scan: Report["findings"][number] = {
  rank: 1,
  id: "missing-index-0a1b2c3d",
  kind: "latency",
  severity: "critical",
  confidence: 0.93,
  title: "SELECT orders reads the whole table for a handful of rows",
  why: "The statement takes 41 ms typically and 260 ms in slow requests, 55 times as long as the other statements of the same database, whatever its parameter.",
  subject: {
    service: "shop",
    operation: "SELECT orders",
    resource: "table:orders",
    statement: "SELECT id, placed_at, total FROM orders WHERE customer_id = $1 ORDER BY placed_at DESC LIMIT 20",
  },
  mechanism: "missing-index",
  impact: {
    endpoint,
    metric: "p99",
    now: 488.4,
    predicted: 231,
    low: 207.2,
    high: 246.6,
    unit: "ms",
    method: "replay",
  },
  chain: [
    { claim: "GET /api/customers/:id/orders: p99 488 ms", evidence: [] },
    { claim: "260 ms of it in SELECT orders", evidence: [0] },
    { claim: "its time does not depend on the rows it returns: it scans", evidence: [1] },
  ],
  evidence: [
    {
      kind: "trace",
      text: "slow requests that wait for it: 4bf92f3577b34da6a3ce929d0e0e4736, 0af7651916cd43dd8448eb211c80319c",
      query: "longpole critical-path traces.otlp.pb.gz",
    },
    { kind: "statistic", text: "duration against returned rows: rank correlation 0.03 over 10,000 calls", query: "" },
  ],
  counter: ["the plan of the statement was not read"],
  refutedBy: "EXPLAIN shows an index scan",
  remedy: {
    text: "Add an index for the condition; writes to the table become a little slower.",
    change: "CREATE INDEX CONCURRENTLY ON orders (customer_id, placed_at)",
    whatIf: "service=orders,operation=SELECT orders,time=0.02",
  },
};

const pool: Report["findings"][number] = {
  ...scan,
  rank: 2,
  id: "pool-exhausted-1a1b2c3d",
  kind: "throughput",
  severity: "warning",
  confidence: 0.9,
  title: "orders waits for a connection to shop: all 10 of its pool are in use 71 % of the time",
  why: "38 % of 10,000 acquisitions had to wait; the slow requests waited 142 ms on average, the typical ones 0.02 ms.",
  subject: { service: "orders", operation: "pg-pool.connect", resource: "pool:shop", setting: "pool.max" },
  mechanism: "pool-exhausted",
  impact: { endpoint, metric: "p99", now: 488.4, predicted: 346, low: 320, high: 371, unit: "ms" },
  counter: [],
  remedy: { text: "Give the pool more connections.", change: "pool.max: 10 -> 16" },
};

const calls: Report["findings"][number] = {
  ...scan,
  rank: 3,
  id: "sequential-calls-1a1b2c3d",
  severity: "warning",
  confidence: 0.7,
  title: "checkout calls price and stock one after the other",
  why: "Neither needs the other's answer.",
  subject: { service: "checkout", operation: "POST /checkout" },
  mechanism: "sequential-calls",
  impact: {
    endpoint: { service: "gateway", operation: "POST /api/orders" },
    metric: "p50",
    now: 41,
    predicted: 29.2,
    low: 28.8,
    high: 29.9,
    unit: "ms",
  },
  chain: [],
  evidence: [],
  counter: [],
  remedy: { text: "Start both, then wait for both.", whatIf: "service=checkout,operation=POST /checkout,parallel" },
};

const unpleasant: Report["findings"][number] = {
  ...scan,
  rank: 4,
  id: "slow-code-1a1b2c3d",
  severity: "warning",
  title: `evil \u001b[2J\u001b]0;owned\u0007 name 🐘🐘 \u202Egnol\u202C ${"x".repeat(10_000)} end`,
  why: `שירות ההזמנות איטי 注文サービスは遅い ${"word ".repeat(2000)}`,
  subject: {
    service: "注文サービス".repeat(20),
    operation: "a\nb\tc",
    statement: "SELECT '\u0000' FROM \"t\"".repeat(500),
  },
  evidence: [{ kind: "trace", text: "'; rm -rf ~ #".repeat(100), query: "" }],
  remedy: { text: "Rename it.", whatIf: "service=o'brien $(reboot),operation=x,remove" },
};

const note: Report["findings"][number] = {
  ...scan,
  rank: 5,
  id: "slow-code-2a1b2c3d",
  severity: "note",
  title: "gateway spends 22 ms of a slow GET in its own code, which is a title too long for one line",
  impact: { endpoint, metric: "p99", now: 488.4, predicted: 477.1, low: 470, high: 480, unit: "ms" },
};
