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
  {
    ...time("", "", 0, 40),
    name: "longpole.process.cpu.taken",
    unit: "{preemption}",
    labels: { "longpole.taker.pid": "7", "longpole.taker.name": "backup" },
  },
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
  expect(ledger!.preemptedBy).toEqual([{ pid: 7, name: "backup", count: 40 }]);
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
