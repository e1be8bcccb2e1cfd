import { expect, test } from "vitest";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { traceFromText } from "../../testing/trace-from-text.ts";
import { diagnose } from "../diagnose.ts";
import { agentLedgers } from "./agent-ledgers.ts";

const RESOURCE = { "service.name": "shop", "host.name": "h1", "process.pid": "42", "process.executable.name": "node" };

const time = (
  kind: string,
  thread: string,
  from: number,
  to: number,
  more: Record<string, string> = {},
): SeriesObject => ({
  name: "longpole.process.time",
  unit: "s",
  kind: "sum",
  temporality: "cumulative",
  monotonic: true,
  resource: RESOURCE,
  labels: { "longpole.time.kind": kind, "longpole.thread": thread, ...more },
  // What was counted before the first point is of no window.
  points: [
    [100, from],
    [105, (from + to) / 2],
    [110, to],
  ],
});

const TABLE = metricTableOf(
  time("cpu", "main", 50, 52),
  time("network", "main", 300, 307, { "longpole.idle": "true" }),
  time("disk", "main", 0, 1),
  time("cpu", "other", 9, 9.5),
);

test("ten seconds of counters are a recording of ten seconds, idle time apart", () => {
  const [ledger, ...others] = agentLedgers(TABLE);
  expect(others).toEqual([]);
  expect(ledger).toMatchObject({ service: "shop", name: "node", pid: 42, durationNs: 1e10 });
  expect(ledger!.threads.map(({ tid, times }) => [tid, times])).toEqual([
    [
      42,
      [
        { kind: "cpu", ns: 2e9, idleNs: 0 },
        { kind: "network", ns: 7e9, idleNs: 7e9 },
        { kind: "disk", ns: 1e9, idleNs: 0 },
      ],
    ],
    [-1, [{ kind: "cpu", ns: 0.5e9, idleNs: 0 }]],
  ]);
});

test("what the kernel counts of a process goes with its times, and is no ledger without them", () => {
  const duration = (name: string, seconds: number, count: number, labels = {}): SeriesObject => ({
    ...time("", "", 0, 0),
    name,
    kind: "histogram",
    labels,
    points: [0, 1].map((i) => ({ at: 100 + 10 * i, value: 3 + i * seconds, count: 7 + i * count, buckets: [] })),
  });
  const kernel = [
    duration("longpole.process.block_io.duration", 0.5, 20),
    { ...time("", "", 100, 4196), name: "longpole.process.block_io.io", unit: "By", labels: {} },
    duration("longpole.process.kernel_lock.duration", 0.25, 1000),
    duration("longpole.process.page_fault.duration", 0.125, 50, { "system.paging.type": "major" }),
    duration("longpole.process.page_fault.duration", 0.0625, 9000, { "system.paging.type": "minor" }),
  ];
  const [ledger] = agentLedgers(metricTableOf(time("cpu", "main", 0, 2), ...kernel));
  expect(ledger!.blockIo).toEqual({ count: 20, ns: 0.5e9, bytes: 4096 });
  expect(ledger!.kernelLocks).toEqual({ count: 1000, ns: 0.25e9 });
  expect(ledger!.majorFaults).toEqual({ count: 50, ns: 0.125e9 });
  expect(agentLedgers(metricTableOf(...kernel))).toEqual([]);
});

test("the endpoint's ledger rests on it; processes of nobody are not complained of", async () => {
  // One request inside all the time; of ten seconds of the thread 2 on the processor, 1 for the disk.
  const spans = traceFromText("shop GET / |----------| server", { unitNs: 1e9 });
  const [table] = [
    metricTableOf(time("cpu", "main", 0, 2), time("disk", "main", 0, 1), {
      ...time("cpu", "main", 0, 9),
      resource: { ...RESOURCE, "service.name": "cron", "process.pid": "5" },
    }),
  ];
  const report = await diagnose({ spans, metrics: table! });
  const rows = report.endpoints[0]!.ledger!.rows.map(({ timeKind, link, share }) => [
    timeKind,
    link,
    Math.round(share * 100),
  ]);
  expect(rows).toEqual([
    ["unexplained", "none", 70],
    ["cpu", "statistical", 20],
    ["disk", "statistical", 10],
  ]);
  expect(report.dataQuality.warnings.join()).not.toContain("recordings");
});
