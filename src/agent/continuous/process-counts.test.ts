import { expect, test } from "vitest";
import { OtlpMetricDecoder } from "../../formats/otlp-metrics-protobuf.ts";
import { attributeText, type AttributeTable } from "../../model/attribute-table.ts";
import { Intake } from "../../model/intake.ts";
import { MetricTableBuilder } from "../../model/metric-table-builder.ts";
import { assertMetricTable, type MetricTable } from "../../model/metric-table.ts";
import { MetricBatch, scopeBytes } from "../export/metric-batch.ts";
import { resourceBytes, type ResourceMetrics } from "../export/metric-points.ts";
import { CountKind, type CountRecord } from "../probe-stream.ts";
import { ProcessCounts, type CountGroup } from "./process-counts.ts";

const S = 1_000_000_000n;
const BEGAN = 1_999_000_000n * S;
/** Of no device that a machine has: named by its numbers. */
const DISK = (4000 << 20) | 7;
const NONE: ReadonlySet<CountGroup> = new Set();

/** slot: where all of them are. */
function record(
  tgid: number,
  kind: number,
  count: number,
  more: Partial<CountRecord> & { slot?: number } = {},
): CountRecord {
  const { slot = 0, ...rest } = more;
  const slots = Array.from({ length: 24 }, (_, i) => (i === slot ? count : 0));
  return { type: "count", tgid, kind, which: 0, isLast: false, count, ns: 0, bytes: 0, slots, ...rest };
}

interface Sent {
  readonly value: number;
  readonly sinceS: number;
  readonly count?: number;
  /** bound: values in it, without empty ones */
  readonly buckets?: Readonly<Record<string, number>>;
}

/** What was added, as the decoder of the server reads it. */
function sent(fill: (into: ResourceMetrics) => void): Record<string, Sent> {
  const batch = new MetricBatch(BEGAN + 100n * S, scopeBytes("test", "1"));
  batch.resource(resourceBytes({ "host.name": "a" }), 5n, fill);
  const builder = new MetricTableBuilder();
  const bytes = batch.finish();
  const intake = new Intake();
  new OtlpMetricDecoder(builder, intake, "batch").request(bytes, 0, bytes.length, 0);
  expect(intake.errors).toEqual([]);
  const { table } = builder.finish();
  assertMetricTable(table);
  const { points, baseUnixNs } = table;
  const found: Record<string, Sent> = {};
  points.series.forEach((series, row) => {
    const labels = textOf(table, table.labels, table.labelSet[series]!);
    const sinceS = (Number(baseUnixNs - BEGAN) + points.startOffsetNs[row]!) / 1e9;
    found[`${table.strings.get(table.name[series]!).replace("longpole.", "")} ${labels}`.trim()] = {
      value: points.value[row]!,
      sinceS,
      ...distributionOf(table, points.distribution[row]!),
    };
  });
  return found;
}

function distributionOf({ points: { distributions } }: MetricTable, row: number): Pick<Sent, "count" | "buckets"> {
  if (row < 0) return {};
  const { bucketStart, bucketBound, bucketValue, count } = distributions;
  const buckets: Record<string, number> = {};
  for (let i = bucketStart[row]!; i < bucketStart[row + 1]!; i++)
    if (bucketValue[i]! > 0) buckets[String(bucketBound[i]!)] = bucketValue[i]!;
  return { count: count[row]!, buckets };
}

function textOf({ strings }: MetricTable, lists: AttributeTable, list: number): string {
  const [from, to] = [lists.listStart[list]!, lists.listStart[list + 1]!];
  return Array.from({ length: to - from }, (_, i) => attributeText(lists, strings, from + i)).join(",");
}

const ofProcess = (counts: ProcessCounts, pid: number, given = NONE): Record<string, Sent> =>
  sent((into) => counts.addProcess(into, pid, given));
const ofHost = (counts: ProcessCounts): Record<string, Sent> => sent((into) => counts.addHost(into));

/** Three ticks, ten seconds apart: a process writes in the second, and ends before the third. */
function written(): { counts: ProcessCounts; tick: (at: bigint, ...records: readonly CountRecord[]) => void } {
  const counts = new ProcessCounts();
  counts.begin(BEGAN);
  return {
    counts,
    tick: (at, ...records) => {
      for (const one of records) counts.take(one);
      counts.tick(BEGAN + at * S);
    },
  };
}

test("block I/O: bytes and a histogram by disk and direction, since the tick at which there was none", () => {
  const { counts, tick } = written();
  tick(10n);
  // 2^13 ns are the end of the first slot: of slot 7 it is 2^20.
  tick(
    20n,
    record(12, CountKind.blockWrite, 3, { which: DISK, ns: 3e6, bytes: 12_288, slot: 7 }),
    record(12, CountKind.blockFlush, 1, { which: DISK, ns: 40e9, slot: 23 }),
    record(0, CountKind.blockWrite, 2, { which: DISK, ns: 1e6, bytes: 8192, slot: 6 }),
  );
  expect(ofProcess(counts, 12)).toEqual({
    "process.block_io.duration 4000:7,write": { value: 0.003, sinceS: 10, count: 3, buckets: { [2 ** 20 / 1e9]: 3 } },
    "process.block_io.io 4000:7,write": { value: 12_288, sinceS: 10 },
    "process.block_io.duration 4000:7,flush": { value: 40, sinceS: 10, count: 1, buckets: { Infinity: 1 } },
  });
  expect(ofProcess(counts, 13)).toEqual({});
  expect(ofHost(counts)).toMatchObject({
    "host.block_io.duration 4000:7,write": {
      sinceS: 0,
      count: 5,
      value: 0.004,
      buckets: { [2 ** 19 / 1e9]: 2, [2 ** 20 / 1e9]: 3 },
    },
    "host.block_io.io 4000:7,write": { value: 20_480 },
  });
});

test("what a process did until its end stays in the machine's sums; its number may be another's then", () => {
  const { counts, tick } = written();
  const write = (count: number, isLast: boolean): CountRecord =>
    record(12, CountKind.blockWrite, count, { which: DISK, bytes: 100 * count, isLast });
  tick(10n, write(3, false));
  tick(20n, write(5, true));
  expect(ofProcess(counts, 12)).toEqual({});
  expect(ofHost(counts)["host.block_io.io 4000:7,write"]!.value).toBe(500);
  tick(30n, write(2, false));
  expect(ofProcess(counts, 12)["process.block_io.io 4000:7,write"]).toEqual({ value: 200, sinceS: 20 });
  expect(ofHost(counts)["host.block_io.io 4000:7,write"]!.value).toBe(700);
});

test("TCP, locks and page faults; a group that was given up is told no more", () => {
  const { counts, tick } = written();
  tick(
    10n,
    record(12, CountKind.connect, 4, { ns: 2e6, slot: 6 }),
    record(12, CountKind.connectFailed, 1, { ns: 5e3 }),
    record(12, CountKind.retransmit, 7),
    record(12, CountKind.resetSent, 2),
    record(12, CountKind.resetReceived, 3),
    record(12, CountKind.kernelLock, 9, { ns: 90_000, slot: 1 }),
    record(12, CountKind.minorFault, 6100, { ns: 5e6 }),
    record(12, CountKind.majorFault, 3, { ns: 9e6, slot: 8 }),
    record(12, CountKind.roundTrip, 4, { ns: 8e5 }),
  );
  const all = ofProcess(counts, 12);
  expect(Object.fromEntries(Object.entries(all).map(([name, { value, count }]) => [name, count ?? value]))).toEqual({
    "process.tcp.connect.duration connected": 4,
    "process.tcp.connect.duration failed": 1,
    "process.tcp.retransmits": 7,
    "process.tcp.resets transmit": 2,
    "process.tcp.resets receive": 3,
    "process.kernel_lock.duration": 9,
    "process.page_fault.duration minor": 6100,
    "process.page_fault.duration major": 3,
    "process.tcp.connection.count": 4,
    // 800 µs over four connections.
    "process.tcp.round_trip": 0.0002,
  });
  expect(all["process.page_fault.duration minor"]!.value).toBe(0.005);
  expect(Object.keys(ofProcess(counts, 12, new Set(["TCP", "page faults"])))).toEqual(["process.kernel_lock.duration"]);
  expect(Object.keys(ofProcess(counts, 12, new Set(["kernel locks"])))).toHaveLength(9);
  // All are closed: none is open, and no round trip is known.
  tick(20n, record(12, CountKind.retransmit, 7));
  const later = ofProcess(counts, 12);
  expect(later["process.tcp.connection.count"]!.value).toBe(0);
  expect(later["process.tcp.round_trip"]).toBeUndefined();
});

test("slots go on where the kernel's 32 bits are full, again and again, and stay the sum's parts", () => {
  const counts = new ProcessCounts();
  counts.begin(BEGAN);
  // 2^32 is 4.29e9, which the third tick is beyond, and the sixth beyond twice of it.
  const all = Array.from({ length: 6 }, (_, tick) => 1_600_000_000 * (tick + 1));
  for (const [tick, count] of all.entries()) {
    const slots = Array.from({ length: 24 }, (_, slot) => (slot === 3 ? count % 2 ** 32 : 0));
    counts.take({ ...record(7, CountKind.minorFault, count), slots });
    counts.tick(BEGAN + BigInt(tick + 1) * S);
    const [told] = Object.values(sent((into) => counts.addProcess(into, 7, NONE)));
    expect([told!.count, ...Object.values(told!.buckets!)]).toEqual([count, count]);
  }
});
