import { expect, test } from "vitest";
import type { Finding } from "../../model/report.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { statementSpans } from "../../testing/statement-spans.ts";
import { diagnose } from "../diagnose.ts";

const SELECT = "SELECT id, content FROM records WHERE name = $1";
const UPDATE = "UPDATE records SET hits = hits + $1 WHERE name = $2";
const DATABASE = { "postgresql.database.name": "zones_db" };
const TABLE = { ...DATABASE, "postgresql.table.name": "public.records" };

/** What a collector adds in each of six intervals of ten seconds. */
const delta = (
  name: string,
  value: number,
  labels: Record<string, string> = {},
  resource: Record<string, string> = DATABASE,
): SeriesObject => ({
  name: `postgresql.${name}`,
  kind: "sum",
  temporality: "delta",
  monotonic: true,
  resource,
  labels,
  points: [10, 20, 30, 40, 50, 60].map((at) => ({ at, start: at - 10, value })),
});
const total = (name: string, perSecond: number, resource: Record<string, string> = TABLE): SeriesObject => ({
  name: `postgresql.${name}`,
  kind: "sum",
  temporality: "cumulative",
  monotonic: true,
  resource,
  points: [0, 10, 20, 30, 40, 50, 60].map((at) => [at, 1000 + perSecond * at]),
});
const size = (name: string, from: number, to: number): SeriesObject => ({
  name: `postgresql.${name}`,
  kind: "gauge",
  resource: TABLE,
  ...(name === "rows" ? { labels: { state: "live" } } : {}),
  points: [
    [0, from],
    [60, to],
  ],
});

/** 100 calls in each interval, of `ms` each. */
const counters = (text: string, ms: number): SeriesObject[] => {
  const labels = { "db.query.text": text, "postgresql.queryid": "42" };
  return [
    delta("statement.calls", 100, labels),
    delta("statement.time", 0.1 * ms, labels),
    delta("statement.rows", 100, labels),
    delta("statement.blocks_hit", 270_000, labels),
    delta("statement.blocks_read", 0, labels),
  ];
};

/** Samples of sessions at the statement in each interval, a second each. */
const wait = (text: string, type: string, event: string, samples: number): SeriesObject[] => {
  const labels = {
    "db.query.text": text,
    "postgresql.state": "active",
    "postgresql.wait_event_type": type,
    "postgresql.wait_event": event,
  };
  return [delta("wait.time", samples, labels), delta("wait.samples", samples, labels)];
};

async function diagnosed(statement: string, ms: number, ...metrics: SeriesObject[]): Promise<Finding> {
  const spans = statementSpans({ requests: 600, statement, takesMs: () => ms });
  const report = await diagnose({ spans, metrics: metricTableOf(...metrics) });
  return report.findings.find(({ subject }) => subject.statement?.includes("records") === true)!;
}
const textsOf = ({ evidence }: Finding): string => evidence.map(({ text }) => text).join("\n");

test("a table that is read whole by each call leaves no doubt, and its counters are told", async () => {
  const finding = await diagnosed(
    SELECT,
    30,
    ...counters(SELECT, 28),
    total("sequential_scans", 10),
    total("table.sequential_rows", 4_000_000),
    total("table.index_scans", 0),
    size("table.size", 32 * 2 ** 20, 64 * 2 ** 20),
    ...wait(SELECT, "", "", 3),
  );
  expect(finding.mechanism).toBe("missing-index");
  expect(finding.title).toContain("an index on (name) is missing");
  expect(finding.confidence).toBe(0.95);
  expect(finding.counter.join()).not.toContain("traces show neither the plan");
  const texts = textsOf(finding);
  // 6 × 100 calls; 168 s in all for 600 calls; 1,620,000 pages.
  expect(texts).toContain("zones_db counts 600 calls, 28.0 ms each; 100 % of the time of all its statements");
  expect(texts).toContain("2,700 pages read for 1 row each time");
  // 10 a second for a minute; 4,000,000 rows a second.
  expect(texts).toContain(
    "public.records was read from beginning to end 600 times, 400,000 rows each time, and never by an index",
  );
  expect(texts).toContain("public.records grew from 32.0 MB to 64.0 MB on the disk (2×)");
  expect(texts).toContain("sessions were seen at it 18 times: 100 % on the processor");
});

test("a look-up that reads a large table from beginning to end is harm, also where other statements are slow too", async () => {
  const spans = statementSpans({ requests: 600, statement: SELECT, takesMs: () => 30, othersMs: 10 });
  const report = async (...metrics: SeriesObject[]) =>
    (await diagnose({ spans, metrics: metricTableOf(...metrics) })).findings;
  const severityOf = (findings: readonly Finding[]): string | undefined =>
    findings.find(({ subject }) => subject.statement?.includes("records") === true)?.severity;
  const scans = total("sequential_scans", 10);
  const found = await report(...counters(SELECT, 28), scans);
  // Like the others it would take 10 ms instead of 30, of 42 in all.
  expect(found[0]).toMatchObject({ mechanism: "missing-index", severity: "warning" });
  expect(found[0]!.title).toBe("looking up rows of records takes 28.0 ms in zones_db: an index on (name) is missing");
  // Three times as slow as the others is nothing by itself.
  expect(severityOf(await report(scans))).toBe("note");
});

test("a plan that scans is proof as well; a table that is hardly ever scanned speaks against", async () => {
  const plan: SeriesObject = {
    name: "postgresql.plan.sequential_scan.cost",
    kind: "gauge",
    resource: DATABASE,
    labels: {
      "db.query.text": SELECT,
      "postgresql.plan.table": "public.records",
      "postgresql.plan.filter": "(name = $1)",
    },
    points: [[60, 8345.2]],
  };
  const planned = await diagnosed(SELECT, 30, ...counters(SELECT, 28), plan);
  expect([planned.confidence, planned.title.includes("is missing")]).toEqual([0.95, true]);
  expect(textsOf(planned)).toContain("its plan scans public.records (cost 8,345)");
  const indexed = await diagnosed(
    SELECT,
    30,
    ...counters(SELECT, 28),
    total("sequential_scans", 0.02),
    total("table.index_scans", 10),
  );
  expect(indexed.confidence).toBeLessThan(0.5);
  expect(indexed.counter.join()).toContain("public.records is hardly ever read from beginning to end");
});

test("a statement whose sessions wait for a lock is not slow: the finding names the holder and what it does", async () => {
  const labels = {
    "db.query.text": UPDATE,
    "postgresql.lock.relation": "public.records",
    "postgresql.lock.mode": "ShareLock",
    "postgresql.blocking.query.text": "UPDATE records SET ttl = $1 WHERE zone_id = $2",
    "postgresql.blocking.state": "idle in transaction",
    "postgresql.blocking.application_name": "nightly-import",
  };
  const finding = await diagnosed(
    UPDATE,
    80,
    ...counters(UPDATE, 79),
    ...wait(UPDATE, "Lock", "transactionid", 9),
    ...wait(UPDATE, "", "", 1),
    delta("lock.wait.time", 9, labels),
    { ...delta("lock.wait.longest", 4, labels), kind: "gauge", temporality: "unspecified", monotonic: false },
  );
  expect(finding.mechanism).toBe("lock-contention");
  expect(finding.subject).toMatchObject({ service: "zones_db", resource: "lock:public.records" });
  expect(finding.title).toContain("nightly-import (idle in its transaction after UPDATE records SET ttl = ?");
  expect(textsOf(finding)).toMatch(/waited 54\.0 s in all, the longest 4\.00 s, for a lock on public\.records/);
  expect(finding.remedy.text).toContain("Let nightly-import commit");
  expect(finding.severity).not.toBe("note");
});

test("a lock that one call in ten meets shows in the tail alone, and is found by what the database saw", async () => {
  const labels = { "db.query.text": UPDATE, "postgresql.lock.relation": "public.records" };
  const spans = statementSpans({
    requests: 600,
    statement: UPDATE,
    takesMs: (second) => (Math.round(second * 10) % 10 === 0 ? 700 : 8),
  });
  const metrics = [
    // 100 calls in each interval: 10 of 700 ms and 90 of 8 ms.
    ...counters(UPDATE, 77.2),
    ...wait(UPDATE, "Lock", "transactionid", 7),
    delta("lock.wait.time", 7, labels),
  ];
  const report = await diagnose({ spans, metrics: metricTableOf(...metrics) });
  const [finding] = report.findings;
  expect(finding).toMatchObject({ mechanism: "lock-contention", subject: { resource: "lock:public.records" } });
  expect(finding!.title).toContain("waits for a lock on public.records that a session that was gone");
  expect([finding!.impact.metric, finding!.severity]).toEqual(["p99", "critical"]);
  // 700 ms, give or take the 5 % that the spans vary by, and 3 ms around the statement; then 8 ms and 3.
  expect(finding!.impact.now).toBeGreaterThan(650);
  expect(finding!.impact.predicted).toBeLessThan(15);
});

test("a database that is done at once is not what takes the time", async () => {
  const finding = await diagnosed(SELECT, 30, ...counters(SELECT, 2));
  expect(finding.counter.join()).toContain("zones_db itself takes 2.00 ms of the 29.9 ms");
  expect(finding.confidence).toBeLessThan(0.6);
});

test("another database's statement of the same text is not taken for it, and what is not seen is said", async () => {
  const elsewhere = counters(SELECT, 2).flatMap((series) => [
    { ...series, resource: { "postgresql.database.name": "archive" } },
    { ...series, resource: { "postgresql.database.name": "staging" } },
  ]);
  const finding = await diagnosed(SELECT, 30, ...elsewhere);
  expect(textsOf(finding)).not.toContain("counts");
  const missing: SeriesObject = {
    name: "postgresql.collector.missing",
    kind: "gauge",
    resource: DATABASE,
    labels: {
      "postgresql.collector.what": "no statements are seen",
      "postgresql.collector.mend": "GRANT pg_monitor TO r",
    },
    points: [[10, 1]],
  };
  const report = await diagnose({
    spans: statementSpans({ requests: 600, statement: SELECT, takesMs: () => 30 }),
    // Half of the time is of statements that were summed.
    metrics: metricTableOf(missing, ...counters(SELECT, 2), delta("statement.time", 0.2, { "longpole.summed": "31" })),
  });
  expect(report.dataQuality.warnings).toContain(
    "PostgreSQL: 50 % of the time of zones_db is for statements that are told as a sum, without their texts",
  );
  expect(report.dataQuality.warnings).toContain("PostgreSQL: no statements are seen (GRANT pg_monitor TO r)");
});

test("the ledger splits the time of calls by what sessions were seen at, and leaves what passes outside", async () => {
  const metrics = [...counters(SELECT, 24), ...wait(SELECT, "", "", 6), ...wait(SELECT, "IO", "DataFileRead", 2)];
  const spans = statementSpans({ requests: 600, statement: SELECT, takesMs: () => 32 });
  const report = await diagnose({ spans, metrics: metricTableOf(...metrics) });
  const rows = report.endpoints[0]!.ledger!.rows.filter(({ operation }) => operation === "SELECT records");
  const shareOf = (kind: string): number =>
    rows.find(({ timeKind }) => timeKind === kind)!.p50Ms / rows.reduce((sum, { p50Ms }) => sum + p50Ms, 0);
  // Of 31.84 ms on average (32 ms, a spread around 0.995) the database takes 24: three quarters of it at the processor.
  expect(shareOf("cpu")).toBeCloseTo((0.75 * 24) / 31.84, 2);
  expect(shareOf("disk")).toBeCloseTo((0.25 * 24) / 31.84, 2);
  expect(shareOf("callee")).toBeCloseTo(7.84 / 31.84, 2);
  expect(rows.find(({ timeKind }) => timeKind === "cpu")).toMatchObject({
    link: "statistical",
    source: "wait events of zones_db",
    callee: "zones_db",
  });
  // It is the database's time, and none of the service's own.
  expect(report.endpoints[0]!.ledger!.ownMs).toBeLessThan(4);
  expect(rows.find(({ timeKind }) => timeKind === "callee")).not.toHaveProperty("callee");
});
