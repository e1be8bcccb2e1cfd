import { expect, it } from "vitest";
import { AttributeType } from "../../model/attribute-table.ts";
import { SpanKind, type SpanTable } from "../../model/span-table.ts";
import { unixNs } from "../../model/units.ts";
import { SpanTableBuilder } from "../../model/span-table-builder.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { diagnose } from "../diagnose.ts";

const REQUESTS = 600;
const BASE_UNIX_NS = 1_790_000_000_000_000_000n;
const STATEMENT = "SELECT id, content FROM records WHERE name = $1";

/** Rows of the table at a second: 100,000 at first, 300,000 after a minute, in a straight line. */
const rowsAt = (seconds: number): number => 100_000 + (200_000 * seconds) / 60;

/** Ten requests a second for a minute; each looks a record up in `takes(rows)` milliseconds, and then an account in 1 ms. */
function lookups(takes: (rows: number) => number): SpanTable {
  const builder = new SpanTableBuilder();
  const { strings, resources, attributes } = builder;
  resources.add(strings.intern("service.name"), AttributeType.string, strings.intern("zones"));
  const resource = resources.closeList();
  const starts: number[] = [];
  const ends: number[] = [];
  let row = 0;
  const span = (trace: number, id: number, parent: number, name: string, startMs: number, endMs: number): void => {
    builder.begin(resource, 0);
    builder.traceId[4 * row + 3] = trace;
    builder.spanId[2 * row + 1] = id;
    if (parent !== 0) builder.parentSpanId[2 * row + 1] = parent;
    builder.kind[row] = parent === 0 ? SpanKind.server : SpanKind.client;
    builder.name[row] = strings.intern(name);
    if (parent !== 0) {
      const add = (key: string, value: string): void =>
        attributes.add(strings.intern(key), AttributeType.string, strings.intern(value));
      add("db.system.name", "postgresql");
      add("db.namespace", "zones_db");
      add("db.query.text", name === "SELECT records" ? STATEMENT : "SELECT name FROM accounts WHERE id = $1");
    }
    builder.commit();
    starts.push(startMs * 1e6);
    ends.push(endMs * 1e6);
    row++;
  };
  for (let i = 0; i < REQUESTS; i++) {
    const startMs = 100 * i;
    // a spread of some 10 %, the same for every tenth
    const ms = takes(rowsAt(startMs / 1000)) * (0.95 + 0.01 * (i % 10));
    span(i + 1, 3 * i + 1, 0, "GET /records", startMs, startMs + ms + 3);
    span(i + 1, 3 * i + 2, 3 * i + 1, "SELECT records", startMs + 1, startMs + 1 + ms);
    span(i + 1, 3 * i + 3, 3 * i + 1, "SELECT accounts", startMs + 1 + ms, startMs + 2 + ms);
  }
  const startOffsetNs = Float64Array.from(starts);
  const endOffsetNs = Float64Array.from(ends);
  return { ...builder.finish().table, baseUnixNs: unixNs(BASE_UNIX_NS), startOffsetNs, endOffsetNs };
}

/** The rows of `records`, as the PostgreSQL receiver tells them: each table is a resource of its own, beside a larger one. */
function tableSizes(rows: (seconds: number) => number): SeriesObject[] {
  const seconds = Array.from({ length: 61 }, (_, i) => i);
  const of = (table: string, value: (at: number) => number): SeriesObject => ({
    name: "postgresql.rows",
    unit: "1",
    kind: "gauge",
    resource: { "postgresql.database.name": "zones_db", "postgresql.table.name": table },
    labels: { state: "live" },
    points: seconds.map((at) => [at, value(at)]),
  });
  return [of("public.records", rows), of("public.record_versions", () => 900_000)];
}

const looked = async (takes: (rows: number) => number, rows: (seconds: number) => number = rowsAt) => {
  const report = await diagnose({ spans: lookups(takes), metrics: metricTableOf(...tableSizes(rows)) });
  return report.findings.find(({ subject }) => subject.statement?.includes("records") === true);
};

it("a scan: the time follows the rows, and the next doubling is told", async () => {
  // 10 ms for 100,000 rows, 30 ms for 300,000; 600,000 will take 60 ms
  const finding = (await looked((rows) => rows / 10_000))!;
  expect(finding.mechanism).toBe("missing-index");
  expect(finding.severity).not.toBe("note");
  expect(finding.remedy.change).toBe("CREATE INDEX CONCURRENTLY ON records (name)");
  const evidence = finding.evidence.map(({ text }) => text).join("\n");
  expect(evidence).toMatch(/rows\^(?:0\.9\d|1\.0\d|1\.00)/);
  const [, doubled, now] = /it will take ([\d.]+) ms instead of ([\d.]+) ms/.exec(finding.why)!;
  expect(Number(doubled) / 60).toBeCloseTo(1, 1);
  expect(Number(now) / 30).toBeCloseTo(1, 1);
});

it("an index: a statement that stays as fast while the table grows is not blamed for it", async () => {
  const finding = await looked(() => 12);
  expect(finding?.why ?? "").not.toContain("as rows^");
});

it("a table that does not grow explains nothing", async () => {
  const finding = await looked(
    (rows) => rows / 10_000,
    () => 100_000,
  );
  expect(finding?.why ?? "").not.toContain("as rows^");
});
