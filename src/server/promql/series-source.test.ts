import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Embedded, openEmbedded } from "../../store/embedded/open-embedded.ts";
import { metricTableOf } from "../../testing/metric-table.ts";
import { evaluateAt, evaluateRange } from "./evaluate.ts";
import { toObject } from "./labels.ts";
import { parsePromql } from "./parse-promql.ts";

/* Metrics as OpenTelemetry has them, asked for as Prometheus would: what remote-write brings is in e2e/prometheus.test.ts. */
const BASE_MS = 1_790_000_000_000;

let dataDir = "";
let embedded: Embedded;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "longpole-promql-"));
  embedded = await openEmbedded({ dataDir, retention: { spanDays: 3650, metricDays: 3650 } });
  const resource = {
    "service.name": "orders",
    "service.namespace": "shop",
    "service.instance.id": "pod-1",
    "host.name": "h",
  };
  const table = metricTableOf(
    {
      name: "queue.depth",
      kind: "gauge",
      resource,
      labels: { "queue.name": "mail", shard: 3 },
      points: [
        [0, 4],
        [60, 6],
        [120, NaN],
        [180, 9],
      ],
    },
    {
      name: "bytes.sent",
      kind: "sum",
      temporality: "delta",
      monotonic: true,
      resource,
      points: [
        [0, 10],
        [60, 20],
        [120, 30],
      ],
    },
    {
      name: "request.duration",
      kind: "histogram",
      temporality: "cumulative",
      resource,
      points: [
        {
          at: 0,
          value: 1,
          count: 4,
          buckets: [
            [0.5, 1],
            [1, 2],
            [Infinity, 1],
          ],
        },
        {
          at: 60,
          value: 5,
          count: 10,
          buckets: [
            [0.5, 4],
            [1, 4],
            [Infinity, 2],
          ],
        },
      ],
    },
    {
      name: "rpc.size",
      kind: "summary",
      resource,
      points: [
        {
          at: 60,
          value: 70,
          count: 7,
          buckets: [
            [0.5, 8],
            [0.99, 20],
          ],
        },
      ],
    },
  );
  await embedded.store.insertMetrics(table, "metrics");
}, 60_000);

afterAll(async () => {
  await embedded?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** Labels and numbers of an answer. */
async function at(query: string, seconds: number): Promise<[Record<string, string>, number][]> {
  const answer = await evaluateAt(embedded.store.lookup, parsePromql(query), BASE_MS + 1000 * seconds);
  if (answer.kind !== "vector") throw new Error(answer.kind);
  return answer.vector.map(({ labels, value }) => [toObject(labels), value]);
}

const SENDER = { job: "shop/orders", instance: "pod-1" };

test("names and labels are those that Prometheus allows, and the resource is job and instance", async () => {
  const labels = { __name__: "queue_depth", queue_name: "mail", shard: "3", ...SENDER };
  expect(await at("queue_depth", 60)).toEqual([[labels, 6]]);
  expect(await at('{job="shop/orders",shard=~"[0-9]"}', 30)).toEqual([[labels, 4]]);
  expect(await at('queue_depth{host_name="h"}', 60)).toEqual([]);
});

test("a point without a value ends a series until its next", async () => {
  expect(await at("queue_depth", 119)).toHaveLength(1);
  expect(await at("queue_depth", 150)).toEqual([]);
  expect((await at("queue_depth", 180))[0]![1]).toBe(9);
  expect((await at("sum_over_time(queue_depth[3m])", 180))[0]![1]).toBe(19);
});

test("a sample counts for five minutes", async () => {
  expect(await at("queue_depth", 180 + 299.999)).toHaveLength(1);
  expect(await at("queue_depth", 180 + 300)).toEqual([]);
});

test("deltas are a counter", async () => {
  // 10, 30, 60 at 0, 60, 120 s.
  expect(await at("increase(bytes_sent[2m])", 120)).toEqual([[SENDER, 50]]);
});

test("a histogram is its buckets, its sum and its count", async () => {
  const name = (part: string): object => ({ __name__: `request_duration_${part}`, ...SENDER });
  expect(await at("request_duration_sum", 60)).toEqual([[name("sum"), 5]]);
  expect(await at("request_duration_count", 60)).toEqual([[name("count"), 10]]);
  expect(await at("sort(request_duration_bucket)", 60)).toEqual([
    [{ ...name("bucket"), le: "0.5" }, 4],
    [{ ...name("bucket"), le: "1" }, 8],
    [{ ...name("bucket"), le: "+Inf" }, 10],
  ]);
  // Rank 5 of 10 is the first of four between 0.5 and 1.
  expect(await at("histogram_quantile(0.5, request_duration_bucket)", 60)).toEqual([[SENDER, 0.625]]);
  expect(await at("request_duration", 60)).toEqual([]);
});

test("a summary is its quantiles, its sum and its count", async () => {
  expect(await at("rpc_size", 60)).toEqual([
    [{ __name__: "rpc_size", ...SENDER, quantile: "0.5" }, 8],
    [{ __name__: "rpc_size", ...SENDER, quantile: "0.99" }, 20],
  ]);
  expect(await at("rpc_size_sum / rpc_size_count", 60)).toEqual([[SENDER, 10]]);
});

test("steps of a range", async () => {
  const steps = { startMs: BASE_MS - 60_000, endMs: BASE_MS + 90_000, stepMs: 30_000 };
  const [series, ...more] = await evaluateRange(embedded.store.lookup, parsePromql("queue_depth * 2"), steps);
  expect(more).toEqual([]);
  expect(series!.values.map(([ms, value]) => [(ms - BASE_MS) / 1000, value])).toEqual([
    [0, 8],
    [30, 8],
    [60, 12],
    [90, 12],
  ]);
});
