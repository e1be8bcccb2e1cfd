import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeWriteV1, labelsOf, snappied } from "../src/testing/remote-write-sample.ts";
import { START_TIMEOUT_MS, startUp, type RunningUp } from "./running-up.ts";

/*
 * The same samples by remote-write to Longpole and to Debian's Prometheus (2.42), the same questions to both: equal
 * answers, and equal refusals.
 */
const PROMETHEUS = "/usr/bin/prometheus";
const isThere = existsSync(PROMETHEUS);
if (!isThere) process.stderr.write("e2e/prometheus.test.ts: skipped: apt-get install prometheus\n");

/** A whole minute, half an hour ago: a new Prometheus takes what is near. */
const START_S = Math.floor(Date.now() / 60_000) * 60 - 1800;
const END_S = START_S + 1500;

let folder = "";
let up: RunningUp | undefined;
let prometheus: ChildProcess | undefined;
let prometheusUrl = "";

interface Series {
  readonly labels: { name: string; value: string }[];
  readonly samples: { value: number; timestamp: number }[];
}

function freePort(): Promise<number> {
  return new Promise((found) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => found(port));
    });
  });
}

/** Numbers in [0, 1) from a seed. */
function randoms(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

/** Counters with a reset, a late start and an early end, gauges, a histogram with bounds; 15 s apart, not quite. */
function drawn(): Series[] {
  const random = randoms(7);
  const all: Series[] = [];
  const add = (
    name: string,
    labels: Record<string, string>,
    value: (i: number) => number,
    { from = 0, to = 100, skip = () => false }: { from?: number; to?: number; skip?: (i: number) => boolean } = {},
  ): void => {
    const samples: Series["samples"] = [];
    const phase = Math.floor(random() * 15_000);
    for (let i = from; i < to; i++) {
      const sample = value(i);
      const timestamp = START_S * 1000 + i * 15_000 + phase + Math.floor(random() * 40);
      if (!skip(i)) samples.push({ value: sample, timestamp });
    }
    all.push({ labels: labelsOf(name, labels), samples });
  };
  for (const [n, instance] of ["a:80", "b:80"].entries())
    for (const [m, code] of ["200", "404", "500"].entries()) {
      let total = n * 1000;
      const grow = (i: number): number => {
        if (n === 1 && m === 0 && i === 40) total = 3;
        return (total += Math.floor(random() * 20 * (m + 1)));
      };
      const life =
        m === 2 ? (n === 0 ? { from: 30 } : { to: 55 }) : { skip: (i: number) => m === 1 && i > 60 && i < 66 };
      add("http_requests_total", { job: "web", instance, code }, grow, life);
    }
  for (const room of ["hall", "lab", "roof"])
    add("temperature", { room, job: "weather" }, () => Math.round((random() * 40 - 15) * 100) / 100);
  add("threshold", { room: "hall" }, () => 5);
  add("threshold", { room: "lab" }, () => -2.5);
  for (const [n, instance] of ["a:80", "b:80"].entries()) {
    add("build_info", { job: "web", instance, version: `1.${n}` }, () => 1);
    let counts = [0, 0, 0, 0, 0];
    const rows = Array.from({ length: 100 }, () => {
      counts = counts.map((count, i) => count + (i === 0 ? 0 : 1) + Math.floor(random() * 3));
      return counts.map((_, i) => counts.slice(0, i + 1).reduce((a, b) => a + b, 0));
    });
    for (const [b, le] of ["0.1", "0.5", "1", "2.5", "+Inf"].entries())
      add("latency_seconds_bucket", { job: "web", instance, le }, (i) => rows[i]![b]!);
    add("latency_seconds_count", { job: "web", instance }, (i) => rows[i]![4]!);
    add("latency_seconds_sum", { job: "web", instance }, (i) => rows[i]![4]! * 0.7);
  }
  return all;
}

async function write(url: string, timeseries: readonly Series[]): Promise<void> {
  const answer = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/x-protobuf",
      "content-encoding": "snappy",
      "x-prometheus-remote-write-version": "0.1.0",
    },
    body: Buffer.from(snappied(encodeWriteV1({ timeseries }))),
  });
  if (answer.status !== 204) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
}

beforeAll(async () => {
  if (!isThere) return;
  folder = mkdtempSync(join(tmpdir(), "longpole-prometheus-"));
  const port = await freePort();
  prometheusUrl = `http://127.0.0.1:${port}`;
  const config = join(folder, "prometheus.yml");
  writeFileSync(config, "global: { scrape_interval: 1h }\n");
  prometheus = spawn(
    PROMETHEUS,
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, "tsdb")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--web.enable-remote-write-receiver",
      "--log.level=error",
    ],
    { stdio: "ignore" },
  );
  up = await startUp(join(folder, "data"), []);
  for (const until = Date.now() + START_TIMEOUT_MS; Date.now() < until; await sleep(100)) {
    if ((await fetch(`${prometheusUrl}/-/ready`).catch(() => undefined))?.status === 200) break;
  }
  const series = drawn();
  await write(`${prometheusUrl}/api/v1/write`, series);
  await write(`${up.otlpUrl}/api/v1/write`, series);
}, 2 * START_TIMEOUT_MS);

afterAll(async () => {
  prometheus?.kill("SIGKILL");
  up?.kill("SIGKILL");
  await up?.ended;
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
});

interface Answered {
  readonly httpStatus: number;
  readonly status: string;
  readonly errorType?: string;
  readonly data?: unknown;
}

async function ask(
  path: string,
  fields: Record<string, string>,
  method: "GET" | "POST" = "GET",
): Promise<[ours: Answered, theirs: Answered]> {
  const parameters = new URLSearchParams(fields);
  const one = async (base: string): Promise<Answered> => {
    const answer =
      method === "GET"
        ? await fetch(`${base}${path}?${parameters.toString()}`)
        : await fetch(`${base}${path}`, { method: "POST", body: new URLSearchParams(fields) });
    return { ...((await answer.json()) as Answered), httpStatus: answer.status };
  };
  return Promise.all([one(`${up!.apiUrl}/prometheus`), one(prometheusUrl)]);
}

type Row = { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] };

/** Label sets and times of an answer, and apart from them its numbers. */
function parts(data: unknown, inOrder: boolean): { shape: unknown; numbers: number[] } {
  const { resultType, result } = data as { resultType: string; result: Row[] | [number, string] };
  const number = (text: string): number => Number(text.replace("Inf", "Infinity"));
  if (resultType === "scalar") {
    const [time, value] = result as [number, string];
    return { shape: [resultType, time], numbers: [number(value)] };
  }
  const rows = (result as Row[]).map(({ metric, value, values }) => ({
    labels: JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1))),
    samples: values ?? [value!],
  }));
  if (!inOrder) rows.sort((a, b) => (a.labels < b.labels ? -1 : 1));
  return {
    shape: [resultType, ...rows.map(({ labels, samples }) => [labels, ...samples.map(([time]) => time)])],
    numbers: rows.flatMap(({ samples }) => samples.map(([, value]) => number(value))),
  };
}

/** What differs between two answers. Sums are added in other orders: numbers may differ in the tenth digit. */
function difference(ours: unknown, theirs: unknown, inOrder: boolean): unknown {
  const [a, b] = [parts(ours, inOrder), parts(theirs, inOrder)];
  if (JSON.stringify(a.shape) !== JSON.stringify(b.shape)) return { ours: a.shape, theirs: b.shape };
  const isClose = (x: number, y: number): boolean =>
    Object.is(x, y) || x === y || Math.abs(x - y) <= 1e-9 * Math.max(Math.abs(x), Math.abs(y), 1e-3);
  const at = a.numbers.findIndex((value, i) => !isClose(value, b.numbers[i]!));
  return at < 0 ? undefined : { at, ours: a.numbers[at], theirs: b.numbers[at] };
}

const QUERIES = [
  "http_requests_total",
  'http_requests_total{code="500"}',
  'http_requests_total{code!="200",instance=~"a.*|c"}',
  'http_requests_total{code!~"4..",missing=""}',
  '{__name__=~"temp.+|threshold",room!="roof"}',
  "temperature offset 7m",
  "temperature offset -1m",
  "nothing_of_this_name",
  "rate(http_requests_total[5m])",
  "rate(http_requests_total[1m])",
  "rate(http_requests_total[20s])",
  "increase(http_requests_total[10m] offset 3m)",
  "irate(http_requests_total[2m])",
  "idelta(temperature[2m])",
  "delta(temperature[5m])",
  "changes(threshold[5m])",
  "resets(http_requests_total[20m])",
  ...["avg", "min", "max", "sum", "count", "stddev", "stdvar", "last", "present"].map(
    (name) => `${name}_over_time(temperature[4m])`,
  ),
  "quantile_over_time(0.9, temperature[6m])",
  "quantile_over_time(1.5, temperature[6m])",
  ...["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"].map(
    (name) => `${name} by (code) (http_requests_total)`,
  ),
  "sum(rate(http_requests_total[5m]))",
  "sum without (instance) (rate(http_requests_total[5m]))",
  "sum by (job, nothing) (http_requests_total)",
  "max without () (temperature)",
  "quantile(0.5, http_requests_total)",
  "quantile by (code) (0.25, http_requests_total)",
  "topk(2, http_requests_total)",
  "topk by (code) (1, http_requests_total)",
  "bottomk(3, temperature)",
  "topk(0, temperature)",
  "histogram_quantile(0.9, rate(latency_seconds_bucket[5m]))",
  "histogram_quantile(0.5, sum by (le) (rate(latency_seconds_bucket[5m])))",
  "histogram_quantile(0.99, latency_seconds_bucket)",
  "histogram_quantile(2, latency_seconds_bucket)",
  'histogram_quantile(0.5, latency_seconds_bucket{le!="+Inf"})',
  "rate(latency_seconds_sum[5m]) / rate(latency_seconds_count[5m])",
  "temperature * 2 + 1",
  "-temperature",
  "2 ^ -temperature",
  "temperature % 3",
  "temperature / 0",
  "temperature > 5",
  "5 < temperature",
  "temperature > bool 5",
  "temperature > on(room) threshold",
  "temperature >= bool on(room) threshold",
  "temperature - on(room) threshold",
  "temperature - ignoring(job) threshold",
  "http_requests_total * on(instance) group_left(version) build_info",
  "build_info * on(instance) group_right(version) http_requests_total",
  "http_requests_total / ignoring(code) group_left sum without(code) (http_requests_total)",
  'http_requests_total and on(instance) build_info{version="1.0"}',
  'http_requests_total unless on(code) http_requests_total{instance="a:80",code="404"}',
  "temperature or threshold",
  "temperature and on(room) (temperature > 0)",
  "1 + 2 * 3 ^ 2 ^ 0.5 - 7 % 4",
  "-2 ^ 2",
  "3 * -2 ^ 2 + temperature",
  "1 > bool 2",
  "time()",
  "vector(1)",
  "vector(time()) - 1",
  'scalar(temperature{room="lab"}) + 1',
  "scalar(temperature)",
  'temperature > scalar(threshold{room="hall"})',
  "abs(temperature)",
  "ceil(temperature)",
  "floor(temperature)",
  "round(temperature)",
  "round(temperature, 0.25)",
  "exp(temperature / 10)",
  "ln(temperature)",
  "log2(abs(temperature))",
  "log10(temperature)",
  "sqrt(temperature)",
  "sgn(temperature)",
  "clamp(temperature, -1, 3)",
  "clamp_min(temperature, 1)",
  "clamp_max(temperature, 1)",
  "absent(temperature)",
  'absent(nothing{a="b",c=~"d"})',
  "timestamp(temperature)",
  "timestamp(temperature offset 1m)",
  'temperature{room="lab"} == temperature{room="lab"}',
  "sum(http_requests_total) / count(http_requests_total) > 1000 or vector(-1)",
  "((temperature))",
  "Inf",
  "-NaN",
  "0x1f",
];

describe.skipIf(!isThere)("held against Prometheus itself", () => {
  test.each(QUERIES)("%s", async (query) => {
    for (const time of [START_S + 10, START_S + 700, START_S + 1000.5, END_S + 200, END_S + 400]) {
      const [ours, theirs] = await ask("/api/v1/query", { query, time: String(time) });
      expect([ours.httpStatus, ours.status]).toEqual([theirs.httpStatus, theirs.status]);
      expect(theirs.status).toBe("success");
      expect(difference(ours.data, theirs.data, false), `at ${time - START_S}`).toBeUndefined();
    }
    const range = { query, start: String(START_S - 60), end: String(END_S + 360), step: "47" };
    const [ours, theirs] = await ask("/api/v1/query_range", range, "POST");
    expect([ours.httpStatus, ours.status]).toEqual([theirs.httpStatus, theirs.status]);
    expect(difference(ours.data, theirs.data, true)).toBeUndefined();
  });

  test.each(["sort(temperature)", "sort_desc(temperature)", "topk(3, temperature)"])(
    "%s comes in its order",
    async (query) => {
      const [ours, theirs] = await ask("/api/v1/query", { query, time: String(END_S - 100) });
      expect(difference(ours.data, theirs.data, true)).toBeUndefined();
    },
  );

  test("a range vector as it is", async () => {
    const [ours, theirs] = await ask("/api/v1/query", { query: "http_requests_total[3m]", time: String(END_S - 100) });
    expect(difference(ours.data, theirs.data, false)).toBeUndefined();
  });

  test.each([
    ["query", { query: "" }],
    ["query", { query: "sum(" }],
    ["query", { query: "temperature[5m] + 1" }],
    ["query", { query: "rate(temperature)" }],
    ["query", { query: "sum(temperature[5m])" }],
    ["query", { query: "no_such_function(temperature)" }],
    ["query", { query: "1 > 2" }],
    ["query", { query: "temperature and 1" }],
    ["query", { query: "{}" }],
    ["query", { query: '{room=~".*"}' }],
    ["query", { query: 'temperature{room=~"("}' }],
    ["query", { query: "temperature", time: "noon" }],
    ["query", { query: "http_requests_total * on(instance) build_info" }],
    ["query", { query: "temperature + on(job) http_requests_total" }],
    ["query_range", { query: "temperature", start: "5", end: "4", step: "1" }],
    ["query_range", { query: "temperature", start: "1", end: "4", step: "0" }],
    ["query_range", { query: "temperature", start: "1", end: "40000", step: "1" }],
    ["query_range", { query: "temperature[5m]", start: "1", end: "4", step: "1" }],
    ["query_range", { query: "temperature", start: "1", end: "4" }],
    ["series", {}],
    ["label/a-b/values", {}],
  ] as [string, Record<string, string>][])("%s %o is refused alike", async (path, fields) => {
    const [ours, theirs] = await ask(`/api/v1/${path}`, { time: String(END_S - 100), ...fields });
    expect([ours.httpStatus, ours.status, ours.errorType]).toEqual([
      theirs.httpStatus,
      theirs.status,
      theirs.errorType,
    ]);
    expect(theirs.status).toBe("error");
  });

  test.each([
    ["series", { "match[]": 'http_requests_total{code="200"}' }],
    ["labels", { "match[]": "temperature" }],
    ["label/room/values", {}],
    ["label/__name__/values", { "match[]": '{job="weather"}' }],
    ["label/nothing/values", {}],
  ] as [string, Record<string, string>][])("%s %o", async (path, fields) => {
    const [ours, theirs] = await ask(`/api/v1/${path}`, { start: String(START_S), end: String(END_S), ...fields });
    const sorted = (data: unknown): string[] =>
      (data as unknown[])
        .map((one) => JSON.stringify(Object.entries(one as object).toSorted(([a], [b]) => (a < b ? -1 : 1))))
        .sort();
    expect(ours.status).toBe("success");
    expect(sorted(ours.data)).toEqual(sorted(theirs.data));
  });
});
