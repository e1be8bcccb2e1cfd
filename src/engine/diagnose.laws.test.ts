import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bootstrapQuantiles } from "../analysis/bootstrap.ts";
import { Random } from "../analysis/random.ts";
import { describeSpans } from "../analysis/span-facts.ts";
import { assembleTraces } from "../analysis/trace-assembly.ts";
import { loadInputs, type LoadedInputs } from "../formats/load-inputs.ts";
import type { EndpointReport, Report } from "../model/report.ts";
import { SpanGatherer } from "../model/span-gatherer.ts";
import { SpanKind, type SpanTable } from "../model/span-table.ts";
import { faultCase, type FaultCase } from "../testing/accuracy/case.ts";
import { score } from "../testing/accuracy/score.ts";
import { usually } from "../testing/long-tests.ts";
import { otlpJsonText } from "../testing/otlp-json-text.ts";
import { FAULTS } from "../testing/simulator/faults/table.ts";
import { spanObjects, type SpanObject } from "../testing/span-objects.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { headSampledByHalf, renamed, shifted, withClockAhead } from "../testing/transform-spans.ts";
import { takeRows } from "../model/take-rows.ts";
import { diagnose } from "./diagnose.ts";

/**
 * What happens to a recording without changing what it says must not change the diagnosis. The recordings are small
 * runs of the simulator, of kinds and seeds whose cause is found: these are tests of constancy, not of accuracy.
 */
const TRACES = 700;

interface Recording {
  readonly name: string;
  readonly found: FaultCase;
  readonly report: Report;
}

async function record(fault: string, seed: number): Promise<Recording> {
  const found = faultCase(
    FAULTS.find(({ name }) => name === fault)!,
    seed,
    TRACES,
  );
  return { name: `${fault}, ${found.truth.system}`, found, report: await diagnoseAs(found, (table) => table) };
}

/** The report after `change` was done to the recording, and to its baseline. */
function diagnoseAs({ current, baseline }: FaultCase, change: (table: SpanTable) => SpanTable): Promise<Report> {
  return diagnose({ spans: change(current), ...(baseline === undefined ? {} : { baseline: change(baseline) }) });
}

const CASES: readonly [fault: string, seed: number][] = [
  ["missing-index", 3],
  ["pool-exhausted", 1],
  ["external-dependency", 2],
  // with a baseline
  ["cache-miss", 1],
];
const MORE_CASES: readonly [fault: string, seed: number][] = [
  ["fixed-delay", 1],
  ["n-plus-one-pool-spans", 3],
  ["payload-size", 2],
  ["timeout", 3],
  ["row-lock", 1],
  ["data-growth", 3],
  ["retries", 2],
];
const RECORDINGS: readonly Recording[] = await Promise.all(
  usually(CASES, [...CASES, ...MORE_CASES]).map(([fault, seed]) => record(fault, seed)),
);

const first = ({ findings }: Report): object => ({
  mechanism: findings[0]?.mechanism,
  service: findings[0]?.subject.service,
  operation: findings[0]?.subject.operation,
  severity: findings[0]?.severity,
});

const percentiles = ({ endpoints }: Report): object =>
  endpoints.map(({ service, operation, requests, p50Ms, p95Ms, p99Ms }) => ({
    service,
    operation,
    requests,
    p50Ms,
    p95Ms,
    p99Ms,
  }));

const withoutDates = (report: Report): string =>
  JSON.stringify({ ...report, window: null }).replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "DATE");

const rowsOf = (table: SpanTable): Int32Array => Int32Array.from({ length: table.rowCount }, (_, row) => row);

function shuffled(table: SpanTable, seed: number): SpanTable {
  const random = new Random(seed);
  const rows = rowsOf(table);
  for (let i = rows.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [rows[i], rows[j]] = [rows[j]!, rows[i]!];
  }
  return takeRows(table, rows);
}

/** Shuffled, cut into batches of a hundred, and put together from them: strings and resources get other numbers. */
function inBatches(table: SpanTable, seed: number): SpanTable {
  const all = shuffled(table, seed);
  const gatherer = new SpanGatherer();
  for (let from = 0; from < all.rowCount; from += 100) {
    const batch = takeRows(all, rowsOf(all).subarray(from, from + 100));
    const source = gatherer.source(batch);
    for (let row = 0; row < batch.rowCount; row++) source.add(row);
  }
  return gatherer.finish().table;
}

/** Every span counted once. */
function expectWholeLedger({ dataQuality: { ledger } }: Report, received: number): void {
  expect(ledger.received).toBe(received);
  expect(ledger.analysed + ledger.incomplete + ledger.rejected.reduce((sum, { spans }) => sum + spans, 0)).toBe(
    received,
  );
}

describe.each(RECORDINGS)("$name", ({ found, report }) => {
  const { current, truth } = found;

  it("names the cause first", () => {
    expect(score(report.findings, truth).byServiceAndMechanism).toBe(1);
    expect(report.healthy).toBe(false);
  });

  it("is read the same twice, to the byte", async () => {
    expect(JSON.stringify(await diagnoseAs(found, (table) => table))).toBe(JSON.stringify(report));
  });

  it("is the same to the last digit in any order of the spans, and with strings and resources met in another", async () => {
    const other = await diagnoseAs(found, (table) => shuffled(table, 5));
    expect(other).toEqual(report);
    expect(JSON.stringify(other)).toBe(JSON.stringify(report));
    const again = await diagnoseAs(found, (table) => inBatches(table, 9));
    expect(again).toEqual(report);
    expect(JSON.stringify(again)).toBe(JSON.stringify(report));
  });

  it("keeps all but the window's dates at another time", async () => {
    // 93 days and a bit; not a whole number of milliseconds
    const other = await diagnoseAs(found, (table) => shifted(table, 8_035_200_123_456_789));
    expect(withoutDates(other)).toBe(withoutDates(report));
  });

  it("keeps its finding when services, hosts, databases and paths have other names", async () => {
    const rename = renaming(current);
    const other = await diagnoseAs(found, (table) => renamed(table, rename));
    const { mechanism, subject, severity } = report.findings[0]!;
    expect(other.findings[0]).toMatchObject({ mechanism, severity, subject: { service: rename(subject.service) } });
    expect(rename(subject.service)).not.toBe(subject.service);
    expect(percentiles(other)).toEqual(
      percentiles({
        ...report,
        endpoints: report.endpoints.map((endpoint) => ({
          ...endpoint,
          service: rename(endpoint.service),
          operation: rename(endpoint.operation),
        })),
      }),
    );
  });

  it("keeps its finding when a host's clock is 130 ms ahead, and says so", async () => {
    const host = hostOfCallee(current);
    const other = await diagnoseAs(found, (table) => withClockAhead(table, host, 130e6));
    expect(first(other)).toEqual(first(report));
    expect(percentiles(other)).toEqual(percentiles(report));
    expect(other.dataQuality.skewedHosts.some(({ from, to }) => from === host || to === host)).toBe(true);
    // What the calls leave open moves with the clock: another 30 ms move every interval by 30 ms.
    const further = intervalsOf(withClockAhead(current, host, 160e6), host);
    const intervals = intervalsOf(withClockAhead(current, host, 130e6), host);
    expect(intervals.length).toBeGreaterThan(0);
    intervals.forEach((ns, i) => expect(further[i]! - ns).toBeCloseTo(30e6, -1));
  });

  it("counts spans that came twice, and leaves them out", async () => {
    const random = new Random(6);
    const rows = Array.from(rowsOf(current));
    const again = rows.filter(() => random.uniform() < 0.05);
    const other = await diagnoseAs(found, (table) =>
      table === current ? takeRows(table, Int32Array.from([...rows, ...again])) : table,
    );
    expect(other.dataQuality.ledger.rejected).toMatchObject([{ reason: "duplicate", spans: again.length }]);
    expectWholeLedger(other, rows.length + again.length);
    expect(other.findings).toEqual(report.findings);
    expect(other.endpoints).toEqual(report.endpoints);
  });

  it("keeps its first finding without 1 % of the spans, and leaves out the traces that miss one visibly", async () => {
    const random = new Random(7);
    const kept = rowsOf(current).filter(() => random.uniform() >= 0.01);
    const lossy = takeRows(current, kept);
    const other = await diagnoseAs(found, (table) => (table === current ? lossy : table));
    expect(other.dataQuality.incompleteTraces).toBe(brokenTraces(lossy));
    expect(other.dataQuality.incompleteTraces).toBeGreaterThan(0);
    expectWholeLedger(other, kept.length);
    expect(first(other)).toEqual(first(report));
  });

  it("keeps its first finding when every other trace is head-sampled away, and its percentiles within chance", async () => {
    const other = await diagnoseAs(found, headSampledByHalf);
    expect(other.dataQuality.sampling).toBe("head");
    expect(first(other)).toEqual(first(report));
    const name = ({ service, operation }: EndpointReport): boolean =>
      service === truth.endpoint.service && operation === truth.endpoint.operation;
    const half = other.endpoints.find(name)!;
    const whole = report.endpoints.find(name)!;
    expect(half.requests / whole.requests).toBeGreaterThan(0.4);
    expect(half.requests / whole.requests).toBeLessThan(0.6);
    // weights give the rate of all requests back
    expect(half.perSecond / whole.perSecond).toBeCloseTo((2 * half.requests) / whole.requests, 1);
    // The difference of a half from its whole varies as much as the whole does: 99 % hold it nearly always.
    const intervals = bootstrapQuantiles(rootDurations(current, truth.endpoint), undefined, [0.5, 0.95, 0.99], {
      seed: 1,
      level: 0.99,
    });
    [half.p50Ms, half.p95Ms, half.p99Ms].forEach((value, i) => {
      expect(value).toBeGreaterThanOrEqual(intervals[i]!.low / 1e6 - 0.001);
      expect(value).toBeLessThanOrEqual(intervals[i]!.high / 1e6 + 0.001);
    });
  });

  it("sums the blame of each endpoint to the mean duration of the traces around the percentile", () => {
    for (const endpoint of report.endpoints) {
      const sorted = rootDurations(current, endpoint).sort();
      const n = sorted.length;
      // p45 to p55, p98 to p99.9; of fewer than 200 traces the middle fifth and the slowest tenth
      const [middle, slow] =
        n < 200
          ? [sorted.subarray(Math.floor(0.4 * n), Math.ceil(0.6 * n)), sorted.subarray(n - Math.ceil(n / 10))]
          : [around(sorted, 0.45, 0.55), around(sorted, 0.98, 0.999)];
      const sum = (of: "p50Ms" | "p99Ms"): number => endpoint.blame.reduce((total, row) => total + row[of], 0);
      const rounding = 0.0005 * endpoint.blame.length + 1e-6;
      expect(Math.abs(sum("p50Ms") - mean(middle) / 1e6)).toBeLessThanOrEqual(rounding);
      expect(Math.abs(sum("p99Ms") - mean(slow) / 1e6)).toBeLessThanOrEqual(rounding);
    }
    expectWholeLedger(report, current.rowCount);
  });
});

it("reads the same from one file, and strewn over seven files", async () => {
  const { found, report } = RECORDINGS[0]!;
  const folder = mkdtempSync(join(tmpdir(), "longpole-laws-"));
  try {
    const spans = spanObjects(found.current);
    const random = new Random(8);
    const files: (typeof spans)[] = Array.from({ length: 7 }, () => []);
    for (const span of spans) files[random.below(7)]!.push(span);
    writeFileSync(join(folder, "all.json"), otlpJsonText(spans));
    files.forEach((own, i) => writeFileSync(join(folder, `part-${i}.json`), otlpJsonText(own)));
    const one = await load([join(folder, "all.json")]);
    const many = await load(files.map((_, i) => join(folder, `part-${i}.json`)));
    for (const { spans: table, intake } of [one, many]) {
      const other = await diagnose({ spans: table, intake });
      expect(first(other)).toEqual(first(report));
      expect(percentiles(other)).toEqual(percentiles(report));
      expectWholeLedger(other, spans.length);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("too little to tell", () => {
  it.each([
    ["no trace", 0],
    ["one", 1],
    ["three", 3],
    ["four", 4],
  ])("%s: nothing above a note, and not called healthy", async (_, traces) => {
    const report = await diagnose({ spans: slowTraces(traces) });
    expect(report.findings.filter(({ severity }) => severity !== "note")).toEqual([]);
    expect(report.healthy).toBe(false);
    expect(report.dataQuality.traces).toBe(traces);
    expectWholeLedger(report, 2 * traces);
  });

  it("only incomplete traces: none of them is an endpoint's", async () => {
    const whole = slowTraces(300);
    const report = await diagnose({
      spans: takeRows(
        whole,
        rowsOf(whole).filter((row) => row % 2 === 1),
      ),
    });
    expect(report.findings).toEqual([]);
    expect(report.healthy).toBe(false);
    expect(report.endpoints).toEqual([]);
    expect(report.dataQuality).toMatchObject({ traces: 300, incompleteTraces: 300, gates: [{ ok: false }] });
    expectWholeLedger(report, 300);
  });

  it("stopped before an endpoint was looked into: not called healthy", async () => {
    const stopped = await diagnose({ spans: slowTraces(300) }, { signal: AbortSignal.abort() });
    expect(stopped.dataQuality.complete).toBe(false);
    expect(stopped.healthy).toBe(false);
  });
});

/** A request of 400 ms with a call of 390 ms below it, ten a second. Row 2i is the root of trace i + 1. */
function slowTraces(count: number): SpanTable {
  const rows = Array.from({ length: count }, (_, i): SpanRow[] => {
    const at = i * 100e6;
    return [
      { trace: i + 1, id: 1, parent: 0, startNs: at, endNs: at + 400e6, kind: SpanKind.server, name: "GET /" },
      { trace: i + 1, id: 2, parent: 1, startNs: at + 5e6, endNs: at + 395e6, kind: SpanKind.client, name: "call" },
    ];
  });
  return spansFromRows(rows.flat());
}

async function load(paths: readonly string[]): Promise<LoadedInputs> {
  const loading = loadInputs(paths);
  for (;;) {
    const step = await loading.next();
    if (step.done === true) return step.value;
  }
}

/** new and old conventions */
const ADDRESS_KEYS = ["db.namespace", "db.name", "server.address", "net.peer.name"];

/** Other words for the services, hosts, databases and parts of paths that a recording names. */
function renaming(table: SpanTable): (text: string) => string {
  const words = new Set<string>();
  for (const { name, attributes, resource } of spanObjects(table)) {
    for (const [, word] of name.matchAll(/\/([a-z]+)/g)) words.add(word!);
    for (const value of [resource["service.name"], ...ADDRESS_KEYS.map((key) => attributes[key])]) {
      if (typeof value === "string") words.add(value.replaceAll(".", "\\."));
    }
  }
  const pattern = new RegExp(`\\b(${[...words].sort((a, b) => b.length - a.length).join("|")})\\b`, "g");
  return (text) => text.replace(pattern, (word) => `${word.split("").toReversed().join("")}ix`);
}

/** A host other than the roots' that is called. */
function hostOfCallee(table: SpanTable): string {
  const spans = spanObjects(table);
  const roots = new Set(spans.filter((span) => span.parentSpanId === "").map((span) => span.resource["host.name"]));
  const called = spans.find(
    (span) => span.kind === SpanKind.server && !roots.has(span.resource["host.name"]) && span.parentSpanId !== "",
  );
  return called!.resource["host.name"] as string;
}

/** Bounds of how far the clock of `host` is ahead of each host that it talks to, nanoseconds. */
function intervalsOf(table: SpanTable, host: string): number[] {
  const { skews } = assembleTraces(table, describeSpans(table));
  const id = table.strings.intern(host);
  return skews.flatMap(({ from, to, lowNs, highNs }) =>
    to === id ? [-highNs, -lowNs] : from === id ? [lowNs, highNs] : [],
  );
}

/** Traces without exactly one root, or in which a parent is missing. */
function brokenTraces(table: SpanTable): number {
  const spansOf = new Map<string, SpanObject[]>();
  for (const span of spanObjects(table)) {
    const held = spansOf.get(span.traceId);
    if (held === undefined) spansOf.set(span.traceId, [span]);
    else held.push(span);
  }
  let broken = 0;
  for (const spans of spansOf.values()) {
    const ids = new Set(spans.map((span) => span.spanId));
    const roots = spans.filter((span) => span.parentSpanId === "");
    const orphans = spans.filter((span) => span.parentSpanId !== "" && !ids.has(span.parentSpanId));
    if (roots.length !== 1 || orphans.length > 0) broken++;
  }
  return broken;
}

/** Durations of the roots of an endpoint, by name alone. */
function rootDurations(table: SpanTable, endpoint: { service: string; operation: string }): Float64Array {
  const roots = spanObjects(table).filter(
    (span) =>
      span.parentSpanId === "" &&
      span.name === endpoint.operation &&
      span.resource["service.name"] === endpoint.service,
  );
  return Float64Array.from(roots, (span) => Number(span.endUnixNs - span.startUnixNs));
}

/** Members of a percentile window: the middle of whose stretch of the ranks lies in it. */
function around(sorted: Float64Array, low: number, high: number): Float64Array {
  const middle = (i: number): number => (i + 0.5) / sorted.length;
  return sorted.filter((_, i) => middle(i) >= low && middle(i) <= high);
}

const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
