import { expect, it } from "vitest";
import type { SpanTable } from "../../model/span-table.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { statementSpans } from "../../testing/statement-spans.ts";
import { diagnose } from "../diagnose.ts";

const REQUESTS = 600;
const STATEMENT = "SELECT id, content FROM records WHERE name = $1";

/** Rows of the table at a second: 100,000 at first, 300,000 after a minute, in a straight line. */
const rowsAt = (seconds: number): number => 100_000 + (200_000 * seconds) / 60;

const lookups = (takes: (rows: number) => number): SpanTable =>
  statementSpans({ requests: REQUESTS, statement: STATEMENT, takesMs: (second) => takes(rowsAt(second)) });

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
