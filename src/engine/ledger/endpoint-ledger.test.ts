import { describe, expect, test } from "vitest";
import { Random } from "../../analysis/random.ts";
import type { ProcessLedger } from "../../model/process-ledger.ts";
import type { EndpointLedger, Report } from "../../model/report.ts";
import { spanIdHex, SpanKind, type SpanTable } from "../../model/span-table.ts";
import { StackTableBuilder } from "../../model/stack-table-builder.ts";
import { FrameKind, type StackTable } from "../../model/stack-table.ts";
import { traceFromText } from "../../testing/trace-from-text.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { diagnose } from "../diagnose.ts";

const MS = 1e6;

interface Served {
  readonly arrival: number;
  readonly begin: number;
  readonly end: number;
}

/** One thread, 100 requests a second at random, each worked on for 2 to 6 ms in the order of arrival: ρ = 0.4. */
function served(requests = 1000): Served[] {
  const random = new Random(11);
  let [now, free] = [0, 0];
  return Array.from({ length: requests }, () => {
    now += -Math.log(1 - random.uniform()) * 10 * MS;
    const begin = Math.max(now, free);
    free = begin + (2 + 4 * random.uniform()) * MS;
    return { arrival: now, begin, end: free };
  });
}

const spansOf = (all: readonly Served[], attributes: SpanRow["attributes"] = {}): SpanTable =>
  spansFromRows(
    all.map(({ arrival, end }, i) => ({
      trace: i + 1,
      id: i + 1,
      parent: 0,
      startNs: arrival,
      endNs: end,
      kind: SpanKind.server,
      service: "shop",
      name: "GET /",
      attributes,
    })),
  );

interface Sampled {
  readonly at: number;
  readonly span?: string;
  readonly thread?: string;
  readonly isGc?: boolean;
}

/** A profile of processor time with a sample each millisecond of work. */
function profile(spans: SpanTable, samples: readonly Sampled[], durationNs: number): StackTable {
  const into = new StackTableBuilder();
  const text = (value: string): number => into.strings.intern(value);
  const cpu = into.valueType("cpu", "nanoseconds");
  const process = into.process({ service: text("shop"), startUnixNs: spans.baseUnixNs, durationNs });
  const code = into.stack(-1, into.frame(text("serve"), text("shop.py"), 3, FrameKind.user));
  const gc = into.stack(code, into.frame(text("collect"), text(""), -1, FrameKind.gc));
  for (const { at, span, thread, isGc } of samples) {
    const labels = span === undefined ? [] : [{ key: text("span_id"), value: text(span), isText: true }];
    const row = into.sample(
      isGc === true ? gc : code,
      into.thread(process, -1, text(thread ?? "")),
      at,
      into.labelSet(labels),
    );
    into.setValue(row, cpu, MS / 10);
  }
  return into.finish();
}

const everyTenth = (all: readonly Served[], make: (at: number, i: number) => Sampled): Sampled[] =>
  all.flatMap(({ begin, end }, i) =>
    Array.from({ length: Math.floor((end - begin) / (MS / 10)) }, (_, k) => make(begin + (k * MS) / 10, i)),
  );

const idOf = (i: number): string =>
  [Math.imul(i + 1, 0x9e3779b1) >>> 0, i + 1].map((word) => word.toString(16).padStart(8, "0")).join("");

async function ledgerOf(spans: SpanTable, stacks: StackTable): Promise<EndpointLedger> {
  const report = await diagnose({ spans, profiles: [{ source: "shop.pb", stacks }] });
  return report.endpoints[0]!.ledger!;
}

const byKind = (ledger: EndpointLedger): Record<string, number> => {
  const sums: Record<string, number> = {};
  for (const row of ledger.rows)
    sums[`${row.timeKind} ${row.link}`] = (sums[`${row.timeKind} ${row.link}`] ?? 0) + row.p99Ms;
  return sums;
};

/** Kinds and what is unexplained are the time of the blame, exactly but for the rounding of each row. */
function expectSums({ endpoints }: Report): void {
  for (const { ledger, blame } of endpoints) {
    for (const column of ["p50Ms", "p99Ms"] as const) {
      const told = ledger!.rows.reduce((sum, row) => sum + row[column], 0);
      const all = blame.reduce((sum, row) => sum + row[column], 0);
      expect(Math.abs(told - all)).toBeLessThanOrEqual(0.0006 * (ledger!.rows.length + blame.length));
    }
    for (const { lowMs, p99Ms, highMs } of ledger!.rows) {
      expect(lowMs).toBeLessThanOrEqual(p99Ms + 0.001);
      expect(p99Ms).toBeLessThanOrEqual(highMs + 0.001);
    }
  }
}

describe("samples that name their spans, against the exact schedule of the thread", () => {
  const all = served();
  const slow = [...all].sort((a, b) => b.end - b.arrival - (a.end - a.arrival)).slice(1, 20);
  const mean = (value: (one: Served) => number): number =>
    slow.reduce((sum, one) => sum + value(one), 0) / slow.length / MS;

  test("work is what the samples show; the queue before it is nobody's samples and stays unexplained", async () => {
    const spans = spansOf(all);
    const samples = everyTenth(all, (at, i) => ({ at, span: idOf(i) }));
    const found = byKind(await ledgerOf(spans, profile(spans, samples, all.at(-1)!.end)));
    expect(found["cpu span-id"]).toBeGreaterThan(0.85 * mean(({ begin, end }) => end - begin));
    expect(found["cpu span-id"]).toBeLessThan(1.15 * mean(({ begin, end }) => end - begin));
    expect(found["unexplained none"]).toBeGreaterThan(0.8 * mean(({ arrival, begin }) => begin - arrival));
    expect(Object.keys(found).sort()).toEqual(["cpu span-id", "unexplained none"]);
  });

  test("without names: sole requests are certain, the others share", async () => {
    const spans = spansOf(all);
    const found = byKind(
      await ledgerOf(
        spans,
        profile(
          spans,
          everyTenth(all, (at) => ({ at })),
          all.at(-1)!.end,
        ),
      ),
    );
    expect(Object.keys(found).sort()).toEqual(["cpu statistical", "cpu thread-time", "unexplained none"]);
  });

  test("threads that spans name have their own samples, whoever else is at work", async () => {
    const spans = spansOf(all, { "thread.name": "worker-1" });
    const own = everyTenth(all, (at) => ({ at, thread: "worker-1" }));
    const others = everyTenth(all, (at) => ({ at, thread: "worker-2", isGc: true }));
    const found = byKind(await ledgerOf(spans, profile(spans, own, all.at(-1)!.end)));
    const both = byKind(await ledgerOf(spans, profile(spans, [...own, ...others], all.at(-1)!.end)));
    expect(found["cpu thread-time"]).toBeGreaterThan(0);
    expect(both["cpu thread-time"]).toBeCloseTo(found["cpu thread-time"]!, 3);
  });
});

test("an event loop by hand: whose samples are another's, or nobody's, is waited for", async () => {
  // The loop works on a from 0 to 6, for itself until 8, and on b from 8 to 13.
  const spans = traceFromText(
    `
    shop GET /a |-----|         server process.runtime.name=nodejs

    shop GET /b     |--------|  server process.runtime.name=nodejs
    `,
    { unitNs: MS },
  );
  const [a, b] = [0, 1].map((row) => spanIdHex(spans, row));
  const work: Sampled[] = [];
  for (let at = 0.05; at < 13; at += 0.1)
    work.push({ at: at * MS, ...(at < 6 ? { span: a! } : at < 8 ? {} : { span: b! }) });
  const report = await diagnose({ spans, profiles: [{ source: "shop.pb", stacks: profile(spans, work, 13 * MS) }] });
  const found = (operation: string) =>
    byKind(report.endpoints.find((endpoint) => endpoint.operation === operation)!.ledger!);
  expect(found("GET /a")).toEqual({ "cpu span-id": 6 });
  expect(found("GET /b")).toEqual({ "event-loop span-id": 4, "cpu span-id": 5 });
});

test("a profile that names spans and one from outside: no moment counts twice, and the named one is taken", async () => {
  const all = served();
  const spans = spansOf(all);
  const named = profile(
    spans,
    everyTenth(all, (at, i) => ({ at, span: idOf(i) })),
    all.at(-1)!.end,
  );
  const outside = profile(
    spans,
    everyTenth(all, (at) => ({ at, isGc: true })),
    all.at(-1)!.end,
  );
  const both = await diagnose({
    spans,
    profiles: [
      { source: "shop-0.pb", stacks: outside, service: "shop" },
      { source: "shop-1.pb", stacks: named, service: "shop" },
    ],
  });
  const alone = byKind(await ledgerOf(spans, named));
  expect(byKind(both.endpoints[0]!.ledger!)["cpu span-id"]).toBe(alone["cpu span-id"]);
});

test("few samples of long stretches each tell nothing of a short part: what is known of the window does", async () => {
  const all = served();
  const spans = spansOf(all);
  // A sample each second of work, of a second.
  const builder = new StackTableBuilder();
  const cpu = builder.valueType("cpu", "nanoseconds");
  const thread = builder.thread(builder.process({ startUnixNs: spans.baseUnixNs, durationNs: all.at(-1)!.end }));
  const stack = builder.stack(-1, builder.frame(builder.strings.intern("serve"), 0, 3, FrameKind.user));
  for (const { begin } of all.filter((_, i) => i % 250 === 0))
    builder.setValue(builder.sample(stack, thread, begin), cpu, 1000 * MS);
  const found = byKind(await ledgerOf(spans, builder.finish()));
  expect(Object.keys(found).sort()).toEqual(["cpu statistical", "unexplained none"]);
});

/** A recording of ten seconds of one process. */
const recorded = (pid: number, threads: ProcessLedger["threads"], source = "shop-0.json"): ProcessLedger => ({
  source,
  service: "",
  name: "shop",
  pid,
  startUnixNs: 1_790_000_000_000_000_000n,
  durationNs: 10_000 * MS,
  threads,
  parts: [],
  preemptedBy: [],
  syscalls: [],
});

describe("a recording of the threads", () => {
  const all = served();
  const spans = spansOf(all);
  // Mean own time inside is λ · E[duration]; by the recording 0.2 cores of code, 0.1 of the disk, 0.5 of nothing to do.
  const threads: ProcessLedger["threads"] = [
    {
      pid: 7,
      tid: 7,
      name: "main",
      wallNs: 10_000 * MS,
      times: [
        { kind: "cpu", ns: 2000 * MS, idleNs: 0 },
        { kind: "disk", ns: 1000 * MS, idleNs: 0 },
        { kind: "sleep", ns: 5000 * MS, idleNs: 5000 * MS },
        { kind: "network", ns: 2000 * MS, idleNs: 0 },
      ],
    },
  ];

  test("shares by Little's law; idling, the network and what is not known explain nothing", async () => {
    const { endpoints } = await diagnose({ spans, ledgers: [recorded(7, threads)] });
    const { ledger } = endpoints[0]!;
    const span = (all.at(-1)!.end - all[0]!.arrival) / all.reduce((sum, one) => sum + one.end - one.arrival, 0);
    const found = byKind(ledger!);
    expect(found["cpu statistical"]! / ledger!.ownMs).toBeCloseTo(0.2 * span, 2);
    expect(found["disk statistical"]! / ledger!.ownMs).toBeCloseTo(0.1 * span, 2);
    expect(found["unexplained none"]! / ledger!.ownMs).toBeCloseTo(1 - 0.3 * span, 2);
    expect(ledger!.explainedShare).toBeCloseTo(0.3 * span, 2);
    expectSums({ endpoints } as Report);
  });

  test("one of no process in the traces is said, and changes nothing", async () => {
    const other = spansFromRows([
      { trace: 1, id: 1, parent: 0, startNs: 0, endNs: MS, service: "a", name: "x" },
      { trace: 1, id: 2, parent: 1, startNs: 0, endNs: MS / 2, service: "b", name: "y" },
    ]);
    const report = await diagnose({ spans: other, ledgers: [recorded(7, threads, "nobody-0.json")] });
    expect(report.endpoints[0]!.ledger).toBeUndefined();
    expect(report.dataQuality.warnings.join()).toContain("recordings of no process in these traces");
  });
});

test("the sum law on random systems with random recordings and samples", async () => {
  const random = new Random(23);
  for (let run = 0; run < 12; run++) {
    const rows: SpanRow[] = [];
    for (let trace = 1; trace <= 40; trace++) {
      const start = trace * 10 * MS;
      const length = MS + random.uniform() * 30 * MS;
      rows.push({
        trace,
        id: 1,
        parent: 0,
        startNs: start,
        endNs: start + length,
        service: "a",
        name: "GET /",
        kind: SpanKind.server,
      });
      for (let id = 2; id < 5; id++) {
        const from = start + random.uniform() * length;
        const to = from + random.uniform() * (start + length - from);
        const service = ["a", "b"][Math.floor(2 * random.uniform())]!;
        const kind = [SpanKind.internal, SpanKind.client, SpanKind.server][Math.floor(3 * random.uniform())]!;
        rows.push({ trace, id, parent: 1, startNs: from, endNs: to, service, kind, name: `op ${id}` });
      }
    }
    const spans = spansFromRows(rows);
    const samples = Array.from({ length: 400 }, () => ({
      at: random.uniform() * 450 * MS,
      isGc: random.uniform() < 0.2,
    }));
    const stacks = profile(
      spans,
      samples.sort((a, b) => a.at - b.at),
      300 * MS,
    );
    const times = (["cpu", "lock", "disk", "runnable"] as const).map((kind) => ({
      kind,
      ns: random.uniform() * 4000 * MS,
      idleNs: 0,
    }));
    const thread = { pid: 1, tid: 1, name: "t", wallNs: 10_000 * MS, times };
    const report = await diagnose({
      spans,
      profiles: [{ source: "a.pb", stacks, service: "a" }],
      ledgers: [recorded(1, [thread], "a-0.json"), recorded(2, [thread], "b-0.json")],
    });
    expect(report.endpoints[0]!.ledger!.rows.length).toBeGreaterThan(2);
    expectSums(report);
  }
});
