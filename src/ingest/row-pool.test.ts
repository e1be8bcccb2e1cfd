import { expect, it } from "vitest";
import { writeOtlpTraces } from "../formats/write-otlp-traces.ts";
import type { MetricTable } from "../model/metric-table.ts";
import { encodeRequest, sampleRequests } from "../testing/otlp-sample.ts";
import { encodeWriteV1, labelsOf } from "../testing/remote-write-sample.ts";
import type { BlockRows } from "./block-rows.ts";
import type { Reading } from "./body.ts";
import { RowPool } from "./row-pool.ts";
import { rowsOfSignal } from "./rows-of-signal.ts";
import type { Sink } from "./sink.ts";

/** What goes to the store, as texts in which nothing is a number of a table. */
async function written(rows: BlockRows): Promise<string[]> {
  let texts: string[] = [];
  const sink: Sink = {
    insertSpans: async (table) => void (texts = Array.from(writeOtlpTraces(table), (bytes) => String(bytes))),
    insertMetrics: async (table) => void (texts = pointTexts(table)),
    insertStacks: () => Promise.reject(new Error("no profiles here")),
  };
  await rows.insertInto(sink, "token");
  return texts;
}

function pointTexts({ points, baseUnixNs, name, labelSet, labels, kind, strings }: MetricTable): string[] {
  return Array.from(points.series, (series, row) => {
    const list = labelSet[series]!;
    const pairs: string[] = [];
    for (let i = labels.listStart[list]!; i < labels.listStart[list + 1]!; i++)
      pairs.push(`${strings.get(labels.key[i]!)}=${strings.get(labels.value[i]!)}`);
    const time = baseUnixNs + BigInt(points.timeOffsetNs[row]!);
    return [strings.get(name[series]!), kind[series], ...pairs.sort(), time, points.value[row]].join(" ");
  });
}

const OTLP: Reading = { format: "otlp-protobuf", receivedMs: 0 };
const WRITE: Reading = { format: "remote-write-1", receivedMs: 0 };
const spans = (seed: number): Uint8Array[] => sampleRequests(20, seed).map(encodeRequest);
const samples = (first: number): Uint8Array[] => [
  encodeWriteV1({
    timeseries: Array.from({ length: 2000 }, (_, i) => ({
      labels: labelsOf(`m${(first + i) % 7}_total`, { pod: `p${first + i}`, job: `j${i % 3}` }),
      samples: [{ value: first * i, timestamp: 1_790_000_000_000 + i }],
    })),
  }),
];

it.each([
  ["traces", OTLP, spans(1), spans(2)],
  ["metrics", WRITE, samples(1000), samples(0)],
] as const)("rows that held another block make the same of the next as new ones: %s", async (signal, how, one, two) => {
  const pool = new RowPool();
  const used = pool.take(signal);
  for (const bytes of one) used.decode(how, bytes);
  await written(used);
  pool.giveBack(signal, used);
  const again = pool.take(signal);
  expect(again).toBe(used);
  expect(again.rowCount).toBe(0);
  const fresh = rowsOfSignal(signal);
  for (const bytes of two) {
    // A request that breaks off is taken back from either.
    for (const rows of [again, fresh]) {
      expect(() => rows.decode(how, bytes.subarray(0, bytes.length - 3))).toThrow(/^request at byte/);
      rows.decode(how, bytes);
    }
  }
  expect(again.rowCount).toBe(2000);
  const expected = await written(fresh);
  expect(expected.length).toBeGreaterThan(0);
  expect(await written(again)).toEqual(expected);
});

// 102,000 series and as many names of pods.
it("rows that know too many texts and series are not used again", () => {
  const pool = new RowPool();
  const rows = pool.take("metrics");
  for (let from = 0; from < 102_000; from += 2000) for (const bytes of samples(from)) rows.decode(WRITE, bytes);
  pool.giveBack("metrics", rows);
  expect(pool.take("metrics")).not.toBe(rows);
});
