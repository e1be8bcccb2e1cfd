import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Report } from "../../model/report.ts";
import { healthyReport, sampleReport } from "../../testing/sample-report.ts";
import { columns } from "./layout.ts";
import { renderReport } from "./report.ts";

const sources = { files: ["traces.otlp.pb.gz"], baseline: ["before.pb.gz"], command: "longpole" };
const plain = { width: 80, colour: false, ascii: false };

/** The lines from the first that contains `from` up to the one before `to`. */
function part(lines: readonly string[], from: string, to: string): string {
  const start = lines.findIndex((line) => line.includes(from));
  return lines
    .slice(
      start,
      lines.findIndex((line, i) => i > start && line.includes(to)),
    )
    .join("\n");
}

test("the head and the first endpoint", () => {
  expect(part(renderReport(sampleReport(), sources, plain), "Longpole", "POST /api/orders")).toMatchInlineSnapshot(`
    "Longpole · traces.otlp.pb.gz against before.pb.gz
    12,034 traces · 201,122 spans · 2026-09-21 14:13:20 – 14:43:20 UTC (30 min) ·
    0.10 % of traces incomplete, 1 skewed clock

    ■ 4 things to fix, first: SELECT orders reads the whole table for a handful of
      rows (p99 of GET /api/customers/:id/orders 488 → 231 ms)

    GET /api/customers/:id/orders  gateway                   10,000 requests · 167/s
      p50 12.1 ms   p95  130 ms   p99  488 ms   errors 0.12 %
          +200 µs       +100 ms       +427 ms   against 9,800 requests before
      Where p99 requests spend 483 ms         time  share  90 % interval    typical
      █████████████████████████████████████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▓▓▓▓▓░░░░███▒
      █ orders › SELECT orders remote       260 ms   54 %  241–281 ms       5.10 ms
      ▒ orders › pg-pool…onnect pool wait   142 ms   29 %  120–166 ms       20.0 µs
      ▓ gateway › GET in transit           31.3 ms  6.5 %  28.0–35.0 ms     1.40 ms
      ░ orders › GET /orders CPU           24.2 ms  5.0 %  21.0–27.0 ms     2.20 ms
      █ gateway › GET /…rders unexplained  22.1 ms  4.6 %  18.0–26.0 ms      900 µs
      ▒ 1 smaller part                     3.10 ms 0.64 %

      Other endpoints                   requests      p50      p95      p99   errors"
  `);
});

test("a finding that asks for action", () => {
  expect(part(renderReport(sampleReport(), sources, plain), " 1 ■", " 2 ◆")).toMatchInlineSnapshot(`
    " 1 ■ SELECT orders reads the whole table for a                  p99 488 → 231 ms
         handful of rows                                        predicted 207–247 ms
         shop › SELECT orders › table:orders               ████████████▒▒▒▒▒▒▒▒▒▒▒▒▒
         critical · missing-index · confidence 93 %        of GET /api/…s/:id/orders
         The statement takes 41 ms typically and 260 ms in slow requests, 55 times
         as long as the other statements of the same database, whatever its
         parameter.
         because   GET /api/customers/:id/orders: p99 488 ms
                   └→ 260 ms of it in SELECT orders [1]
                     └→ its time does not depend on the rows it returns: it scans
                        [2]
         evidence  [1] slow requests that wait for it:
                       4bf92f3577b34da6a3ce929d0e0e4736,
                       0af7651916cd43dd8448eb211c80319c
                       check: longpole critical-path traces.otlp.pb.gz
                   [2] duration against returned rows: rank correlation 0.03 over
                       10,000 calls
         against   the plan of the statement was not read
         wrong if  EXPLAIN shows an index scan
         fix       Add an index for the condition; writes to the table become a
                   little slower.
                   CREATE INDEX CONCURRENTLY ON orders (customer_id, placed_at)
                   SELECT id, placed_at, total FROM orders WHERE customer_id = $1
                   ORDER BY placed_at DESC LIMIT 20
         try       longpole what-if traces.otlp.pb.gz \\
                     --change 'service=orders,operation=SELECT orders,time=0.02'
    "
  `);
});

test("a healthy system is called one", () => {
  const lines = renderReport(healthyReport(), sources, plain);
  expect(part(lines, "✓ Nothing", "Data")).toMatchInlineSnapshot(`
    "✓ Nothing to fix: nothing in these traces looks like a fault. 2 possible
      causes looked into and ruled out (below). Whether this is fast enough,
      --objective tells; whether it became slower, --baseline.

    GET /api/customers/:id/orders  gateway                   10,000 requests · 167/s
      p50 12.1 ms   p95  130 ms   p99  488 ms   errors 0.12 %
      Where p99 requests spend 483 ms         time  share  90 % interval    typical
      █████████████████████████████████████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▓▓▓▓▓░░░░███▒
      █ orders › SELECT orders remote       260 ms   54 %  241–281 ms       5.10 ms
      ▒ orders › pg-pool…onnect pool wait   142 ms   29 %  120–166 ms       20.0 µs
      ▓ gateway › GET in transit           31.3 ms  6.5 %  28.0–35.0 ms     1.40 ms
      ░ orders › GET /orders CPU           24.2 ms  5.0 %  21.0–27.0 ms     2.20 ms
      █ gateway › GET /…rders unexplained  22.1 ms  4.6 %  18.0–26.0 ms      900 µs
      ▒ 1 smaller part                     3.10 ms 0.64 %

    Throughput  the rate of all endpoints together, at the present mix ─────────────
      Cannot tell the ceiling: spans alone.

    Who uses it all  of 2.00 CPUs in use, in all services together ─────────────────
      endpoint            share  90 %           rate        CPU   database     bytes
      GET /api…room for    60 %  52–67 %       167/s    7.20 ms    14.4 ms   12.0 kB
      POST /api/orders     15 %  11–20 %      12.5/s    24.0 ms    8.00 ms     400 B
      Not attributed: 25 % of the cpu (batch): no span tells what it works on.
      CPU not measured: mailer.

    Checked, and not a cause  ──────────────────────────────────────────────────────
      retries     no call is repeated after an error in 10,000 requests
      clock skew  after the correction, no span leaves its parent by more than
                  0.4 ms
    "
  `);
});

test("too little data is not health", () => {
  const report = healthyReport();
  const endpoints = [{ ...report.endpoints[0]!, caution: "12 requests" }];
  const text = renderReport({ ...report, endpoints }, sources, plain).join("\n");
  expect(text).toContain("Too little data to tell");
  expect(text).not.toContain("Nothing to fix");
});

test("a report that was cut short says so at the top", () => {
  const report = sampleReport();
  const cut = { ...report, dataQuality: { ...report.dataQuality, complete: false } };
  expect(renderReport(cut, sources, plain).slice(0, 5).join("\n")).toContain("Stopped early");
});

describe.each([60, 80, 100, 120, 137])("at %i columns", (width) => {
  test.each([true, false])("no line is wider, commands to paste apart (colour %s)", (colour) => {
    for (const report of [sampleReport(), healthyReport()]) {
      const lines = renderReport(report, sources, { width, colour, ascii: false });
      const wide = lines.filter(
        (line) => columns(line) > width && !line.includes("--change") && !line.includes("what-if"),
      );
      expect(wide).toEqual([]);
    }
  });
});

test("in ASCII no other character is left and the columns stay where they were", () => {
  const fancy = renderReport(sampleReport(), sources, plain);
  const ascii = renderReport(sampleReport(), sources, { ...plain, ascii: true });
  expect(ascii.join("\n")).toMatch(/^[\x20-\x7e\n]*$/);
  const title = (lines: readonly string[]): number =>
    columns(lines.find((line) => line.includes("reads the whole table"))!);
  expect(title(ascii)).toBe(title(fancy));
});

test("without colour no escape sequence is printed, whatever the telemetry holds", () => {
  expect(renderReport(sampleReport(), sources, plain).join("\n")).not.toMatch(
    /\p{Cc}(?<!\n)|[\u202a-\u202e\u2066-\u2069]/u,
  );
});

test("with colour only our own sequences are printed", () => {
  const text = renderReport(sampleReport(), sources, { ...plain, colour: true }).join("\n");
  expect(text.replace(/\x1b\[[\d;]*m/g, "")).not.toMatch(/\p{Cc}(?<!\n)/u);
});

test("colour changes nothing but colour, textures of bars apart", () => {
  const bare = renderReport(sampleReport(), sources, plain);
  const painted = renderReport(sampleReport(), sources, { ...plain, colour: true });
  const strip = (line: string): string =>
    line
      .replace(/\x1b\[[\d;]*m/g, "")
      .replace(/[█▒▓░]/g, "#")
      .trimEnd();
  expect(painted.map(strip)).toEqual(bare.map(strip));
});

test("any text in any place of a finding leaves the frame whole", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), fc.integer({ min: 60, max: 130 }), (text, width) => {
      const report = sampleReport();
      const finding = {
        ...report.findings[0]!,
        title: text,
        why: text,
        subject: { service: text, operation: text },
        counter: [text],
      };
      const lines = renderReport({ ...report, findings: [finding] }, sources, { width, colour: false, ascii: false });
      const bad = lines.filter(
        (line) => /\p{Cc}/u.test(line) || (columns(line) > width && !/--change|what-if/.test(line)),
      );
      expect(bad).toEqual([]);
    }),
    { seed: 7, numRuns: 60 },
  );
});

test("services by the hundred thousand without an explanation: the first dozen, and how many more", () => {
  const unexplained = Array.from({ length: 200_000 }, (_, i) => ({ service: `s${i}`, p99Ms: 9, collect: "a profile" }));
  const lines = renderReport({ ...sampleReport(), unexplained }, sources, plain);
  expect(lines.filter((line) => /^ {2}s\d+ 9/.test(line))).toHaveLength(12);
  expect(lines.join("\n")).toContain("199,988 further services, with less time: --json has all.");
});

test("the ceiling, what limits it, and how near the resources are to their limits", () => {
  const throughput = {
    status: "ok",
    detail: "the pool of orders towards shop is full at 412 requests/s",
    limiter: {
      service: "orders",
      resource: "pool:shop",
      ceilingPerSecond: 412,
      lowPerSecond: 380,
      highPerSecond: 450,
      utilisation: 0.91,
    },
    next: { service: "gateway", resource: "cpu", ceilingPerSecond: 700 },
    resources: [
      {
        service: "orders",
        resource: "pool:shop",
        demandMs: 24,
        capacity: 10,
        utilisation: 0.91,
        worstUtilisation: 1,
        ceilingPerSecond: 412,
      },
      { service: "gateway", resource: "cpu", utilisation: 0.24 },
    ],
  } as const;
  const lines = renderReport({ ...healthyReport(), throughput }, sources, plain);
  expect(part(lines, "Throughput", "Checked")).toMatchInlineSnapshot(`
    "Throughput  the rate of all endpoints together, at the present mix ─────────────
      limit   412/s  orders › pool:shop  90 % interval 380–450/s
      then    700/s  gateway › cpu  once that is no limit
      the pool of orders towards shop is full at 412 requests/s.

      resource                        in use   worst   a request     ceiling
      orders › pool:shop                91 %   100 %     24.0 ms       412/s
      gateway › cpu                     24 %

    Who uses it all  of 2.00 CPUs in use, in all services together ─────────────────
      endpoint            share  90 %           rate        CPU   database     bytes
      GET /api…room for    60 %  52–67 %       167/s    7.20 ms    14.4 ms   12.0 kB
      POST /api/orders     15 %  11–20 %      12.5/s    24.0 ms    8.00 ms     400 B
      Not attributed: 25 % of the cpu (batch): no span tells what it works on.
      CPU not measured: mailer.
    "
  `);
});

describe("without a trace", () => {
  const now = { fromUnixNs: "0", toUnixNs: "900000000000", traceShare: 1, spansInWindow: 0 };
  const points = { received: 800, analysed: 256, notUsed: 544, rejected: [] };
  const headline = (live: Report["live"], metricPoints: Report["dataQuality"]["metricPoints"]): string => {
    const report = healthyReport();
    const dataQuality = {
      ...report.dataQuality,
      traces: 0,
      spans: 0,
      ...(metricPoints === undefined ? {} : { metricPoints }),
    };
    const lines = renderReport(
      { ...report, dataQuality, endpoints: [], ...(live === undefined ? {} : { live }) },
      { ...sources, baseline: [] },
      { ...plain, width: 1000 },
    );
    return lines.find((line) => line.startsWith("▲"))!;
  };

  test.each([
    ["files", undefined, undefined, "no span of a trace was read."],
    ["files with metrics", undefined, points, "no span of a trace was read. 800 points of metrics came."],
    ["a server that got nothing", now, undefined, "no span came in this window. What `longpole up` prints"],
    [
      "a server that got metrics only",
      now,
      points,
      "no span came in this window. 800 points of metrics came: the exporter reaches the server, so look at what makes the spans",
    ],
    ["a server with parts of traces", { ...now, spansInWindow: 7 }, undefined, "no whole trace lies in this window"],
  ])("%s", (_, live, metricPoints, text) => {
    expect(headline(live, metricPoints)).toContain(`▲ Nothing to analyse: ${text}`);
  });
});

test("who uses it all is left out where nothing of it was measured", () => {
  const report = healthyReport();
  const costs = [
    {
      endpoint: { service: "shop", operation: "GET" },
      share: 0,
      low: 0,
      high: 0,
      requestsPerSecond: 9,
      dbMsPerRequest: 0,
      dbSecondsPerSecond: 0,
    },
  ];
  const costTotals = { of: "database" as const, dbSecondsPerSecond: 0, unattributed: [], notMeasured: ["shop"] };
  const shown = (totals: Report["costTotals"]): boolean =>
    renderReport({ ...report, costs, costTotals: totals! }, sources, plain).some((line) =>
      line.startsWith("Who uses it all"),
    );
  expect(shown(costTotals)).toBe(false);
  expect(shown({ ...costTotals, dbSecondsPerSecond: 0.2 })).toBe(true);
});
