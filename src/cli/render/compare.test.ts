import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ComparedEndpoint, CompareReport, PercentileChange, Verdict } from "../../model/compare-report.ts";
import { exitCodeOfComparison } from "../commands/compare.ts";
import { renderCompare } from "./compare.ts";
import { columns } from "./layout.ts";

const sources = { before: "before.pb.gz", now: "now.pb.gz", command: "longpole" };
const plain = { width: 80, colour: false, ascii: false };

const percentile = (beforeMs: number, nowMs: number, verdict: Verdict): PercentileChange => ({
  beforeMs,
  nowMs,
  differenceMs: nowMs - beforeMs,
  lowMs: verdict === "insufficient-data" ? null : 0.9 * (nowMs - beforeMs) - 0.1,
  highMs: verdict === "insufficient-data" ? null : 1.1 * (nowMs - beforeMs) + 0.1,
  verdict,
});

const orders: ComparedEndpoint = {
  service: "gateway",
  operation: "GET /api/customers/:id/orders",
  verdict: "worse",
  requests: { before: 1048, now: 1100 },
  p50: percentile(4.4, 28, "worse"),
  p95: percentile(8.1, 7.6, "better"),
  p99: percentile(13.9, 140, "insufficient-data"),
  errors: { before: 0.001, now: 0.04, difference: 0.039, low: 0.02, high: 0.05, pValue: 1e-9, verdict: "worse" },
  mean: { beforeMs: 5, nowMs: 29 },
  mixMs: 0.2,
  slowdownMs: 7.1,
};

/** Written by hand; its numbers are invented. */
const report: CompareReport = {
  schema: "longpole.compare/1",
  threshold: 0.05,
  level: 0.99,
  verdict: "worse",
  before: { startUnixNs: "0", endUnixNs: "1", traces: 3448, incompleteTraces: 0, sampling: "none" },
  now: { startUnixNs: "2", endUnixNs: "3", traces: 3500, incompleteTraces: 400, sampling: "none" },
  endpoints: [
    {
      ...orders,
      operation: "POST /api/orders",
      verdict: "same",
      p50: percentile(5, 5, "same"),
      p95: percentile(9, 9.1, "same"),
      p99: percentile(20, 20, "same"),
      errors: { ...orders.errors, before: 0, now: 0, verdict: "same" },
    },
    orders,
  ],
  newEndpoints: [
    { service: "gateway", operation: "GET /new", requests: 12, errorRatio: 0, p50Ms: 3, p95Ms: 4, p99Ms: 5 },
  ],
  vanishedEndpoints: [],
  mean: { beforeMs: 4.6, nowMs: 12.1, changeMs: 7.5, mixMs: 0.4, slowdownMs: 7.1 },
  paths: [
    {
      path: ["gateway GET /api/customers/:id/orders", "gateway GET", "orders pg.query:SELECT shop"],
      service: "orders",
      operation: "pg.query:SELECT shop",
      statement: "SELECT id FROM orders WHERE customer_id = $1",
      slowdownMs: 7.9,
      qValue: 1e-9,
    },
    { path: ["gateway GET /x"], service: "gateway", operation: "GET /x", slowdownMs: -0.4, qValue: 0.001 },
  ],
  otherPaths: { count: 47, slowdownMs: -0.4 },
  cautions: ["10 % of the traces of the new recording are incomplete and left out"],
};

const lines = renderCompare(report, sources, plain);
const middle = lines.findIndex((line) => line.startsWith("New endpoints"));

test("a regression: the worst endpoint first", () => {
  expect(lines.slice(0, middle).join("\n")).toMatchInlineSnapshot(`
    "Longpole · now.pb.gz against before.pb.gz
    3,500 traces against 3,448 of the baseline · changes from 5 % on count ·
    intervals hold together with 99 %

    ■ Regression. 2 endpoints: 1 worse, 1 same.

    GET /api/customers/:id/orders  gateway                    1,048 → 1,100 requests
      p50  4.4 → 28.0 ms        +536 %  worse    +21.1 ms to +26.1 ms
      p95  8.10 → 7.60 ms       −6.2 %  better   −550 µs to −450 µs
      p99  14 → 140 ms          10.1 ×  too few requests
      errors 0.10 % → 4.0 %  worse

    POST /api/orders  gateway                                 1,048 → 1,100 requests
      p50  5.00 → 5.00 ms          0 %  same     −100 µs to +100 µs
      p95  9.00 → 9.10 ms       +1.1 %  same     −10.0 µs to +210 µs
      p99  20.0 → 20.0 ms          0 %  same     −100 µs to +100 µs
    "
  `);
});

test("what is new, what moved the mean, and how to go on", () => {
  expect(lines.slice(middle).join("\n")).toMatchInlineSnapshot(`
    "New endpoints  in the new recording only ───────────────────────────────────────
      GET /new  gateway                        12 requests  p50 3.00 ms  p99 5.00 ms

    The mean of all requests  4.6 → 12.1 ms, +7.50 ms ──────────────────────────────
      mix          +400 µs  more or fewer requests to expensive endpoints
      speed       +7.10 ms  the same endpoints became slower or faster

    Where that comes from  own time of each step, per request ──────────────────────
      ████████████  +7.90 ms  gateway G…teway GET › orders SELECT i…ustomer_id = $1
      ▋              −400 µs  gateway GET /x
                     −400 µs  47 other call paths

    Data  ──────────────────────────────────────────────────────────────────────────
      ▲ 10 % of the traces of the new recording are incomplete and left out

    Why: longpole analyze now.pb.gz --baseline before.pb.gz"
  `);
});

test.each([
  ["same", "✓ No regression."],
  ["better", "✓ Better."],
  ["insufficient-data", "▲ Too little data to tell"],
] as const)("the verdict %s is told in words, and no command to find out why", (verdict, words) => {
  const text = renderCompare({ ...report, verdict }, sources, plain).join("\n");
  expect(text).toContain(words);
  expect(text).not.toContain("Why:");
});

test.each([
  ["worse", "regression", false, 1],
  ["worse", undefined, false, 0],
  ["better", "regression", false, 0],
  ["same", "regression", false, 0],
  ["insufficient-data", "regression", false, 3],
  ["same", "regression", true, 2],
] as const)("verdict %s, --fail-on %s, unreadable %s: exit code %i", (verdict, failOn, unreadable, code) => {
  expect(exitCodeOfComparison({ ...report, verdict }, failOn, unreadable)).toBe(code);
});

describe.each([60, 80, 100, 137])("at %i columns", (width) => {
  test.each([true, false])("no line is wider, the command to paste apart (colour %s)", (colour) => {
    const lines = renderCompare(report, sources, { width, colour, ascii: false });
    expect(lines.filter((line) => columns(line) > width && !line.startsWith("Why:"))).toEqual([]);
  });
});

test("in ASCII no other character is left", () => {
  expect(renderCompare(report, sources, { ...plain, ascii: true }).join("\n")).toMatch(/^[\x20-\x7e\n]*$/);
});

test("any text in any name leaves the frame whole", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.integer({ min: 60, max: 130 }), (text, width) => {
      const named = {
        ...report,
        endpoints: [{ ...orders, service: text, operation: text }],
        newEndpoints: [{ ...report.newEndpoints[0]!, service: text, operation: text }],
        paths: [{ ...report.paths[0]!, path: [text, text, text], statement: text, service: text }],
        cautions: [text],
      };
      const lines = renderCompare(named, sources, { width, colour: false, ascii: false });
      expect(
        lines.filter((line) => /\p{Cc}/u.test(line) || (columns(line) > width && !line.startsWith("Why:"))),
      ).toEqual([]);
    }),
    { seed: 7, numRuns: 60 },
  );
});
