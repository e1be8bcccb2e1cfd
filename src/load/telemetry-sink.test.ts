import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { startSink, type SinkOptions, type TelemetrySink } from "./telemetry-sink.ts";

const PROTOBUF = { "content-type": "application/x-protobuf" };
const GZIP = { ...PROTOBUF, "content-encoding": "gzip" };

async function sinkFor(options?: SinkOptions): Promise<TelemetrySink> {
  const sink = await startSink(options);
  onTestFinished(() => sink.close());
  return sink;
}

async function post(
  sink: TelemetrySink,
  path: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = PROTOBUF,
): Promise<number> {
  const response = await fetch(sink.url + path, { method: "POST", body, headers });
  await response.arrayBuffer();
  return response.status;
}

test("traces and metrics are kept apart and in order, compressed or not; logs are dropped", async () => {
  const sink = await sinkFor();
  expect(await post(sink, "/v1/traces", "abc")).toBe(200);
  expect(await post(sink, "/v1/metrics", new Uint8Array(gzipSync("12")), GZIP)).toBe(200);
  expect(await post(sink, "/v1/traces", new Uint8Array(gzipSync("def")), GZIP)).toBe(200);
  expect(await post(sink, "/v1/logs", "dropped")).toBe(200);
  expect(await post(sink, "/v1/logs", "{}", { "content-type": "application/json" })).toBe(200);
  expect(sink.windowBytes).toBe(8);
  expect(sink.endWindow()).toEqual({
    traces: Buffer.from("abcdef"),
    metrics: Buffer.from("12"),
    tracesJson: Buffer.alloc(0),
    metricsJson: Buffer.alloc(0),
    exportRequests: 3,
    refused: 0,
  });
});

test("a window holds what came since it began, and goes on after it was looked at", async () => {
  const sink = await sinkFor();
  await post(sink, "/v1/traces", "old");
  sink.beginWindow();
  expect(sink.windowBytes).toBe(0);
  await post(sink, "/v1/traces", "new");
  expect(sink.endWindow().traces.toString()).toBe("new");
  await post(sink, "/v1/traces", "er");
  expect(sink.endWindow()).toMatchObject({ traces: Buffer.from("newer"), exportRequests: 2 });
  sink.beginWindow();
  expect(sink.endWindow()).toMatchObject({ traces: Buffer.alloc(0), metrics: Buffer.alloc(0), exportRequests: 0 });
});

test("a request belongs to the window in which it ended, whole", async () => {
  const sink = await sinkFor();
  const socket = connect(Number(new URL(sink.url).port), "127.0.0.1");
  const head =
    "POST /v1/traces HTTP/1.1\r\nhost: sink\r\ncontent-type: application/x-protobuf\r\ncontent-length: 6\r\n";
  socket.write(`${head}\r\nabc`);
  // An answer to another request: the sink has seen the first half by then.
  await post(sink, "/v1/traces", "other");
  sink.beginWindow();
  const answered = new Promise((resolve) => socket.once("data", (data) => resolve(String(data))));
  socket.write("def");
  expect(await answered).toMatch(/^HTTP\/1.1 200/);
  socket.destroy();
  expect(sink.endWindow().traces.toString()).toBe("abcdef");
});

test("two sinks do not know each other", async () => {
  const [one, two] = [await sinkFor(), await sinkFor()];
  await Promise.all([post(one, "/v1/traces", "1"), post(two, "/v1/traces", "2"), post(one, "/v1/metrics", "3")]);
  expect(one.endWindow()).toMatchObject({ traces: Buffer.from("1"), metrics: Buffer.from("3") });
  expect(two.endWindow()).toMatchObject({ traces: Buffer.from("2"), metrics: Buffer.alloc(0) });
});

test("beyond its cap a window refuses and counts; the next one takes again", async () => {
  const sink = await sinkFor({ windowCapBytes: 10 });
  expect(await post(sink, "/v1/traces", "12345678")).toBe(200);
  expect(await post(sink, "/v1/metrics", "123")).toBe(503);
  // Ten bytes when compressed count as the hundred that they become.
  expect(await post(sink, "/v1/metrics", new Uint8Array(gzipSync("x".repeat(100))), GZIP)).toBe(503);
  expect(await post(sink, "/v1/metrics", "12")).toBe(200);
  expect(sink.windowBytes).toBe(10);
  expect(sink.endWindow()).toMatchObject({ exportRequests: 2, refused: 2 });
  sink.beginWindow();
  expect(await post(sink, "/v1/metrics", "123")).toBe(200);
  expect(sink.endWindow()).toMatchObject({ exportRequests: 1, refused: 0 });
});

test("JSON is kept apart, a request on each line", async () => {
  const sink = await sinkFor();
  const json = { "content-type": "application/json" };
  expect(await post(sink, "/v1/metrics", '{\n  "resourceMetrics": [] }', json)).toBe(200);
  expect(await post(sink, "/v1/metrics", new Uint8Array(gzipSync("{}")), { ...json, "content-encoding": "gzip" })).toBe(
    200,
  );
  expect(await post(sink, "/v1/metrics", "{", json)).toBe(400);
  expect(await post(sink, "/v1/traces", '{"resourceSpans":\n[]}', json)).toBe(200);
  expect(sink.endWindow()).toMatchObject({
    metrics: Buffer.alloc(0),
    tracesJson: Buffer.from('{"resourceSpans":[]}\n'),
    metricsJson: Buffer.from('{"resourceMetrics":[]}\n{}\n'),
    exportRequests: 3,
    refused: 1,
  });
});

test("what is no protobuf, damaged or too large is refused and counted", async () => {
  const sink = await sinkFor();
  expect(await post(sink, "/v1/traces", "{}", { "content-type": "text/plain" })).toBe(415);
  expect(await post(sink, "/v1/traces", "abc", { ...PROTOBUF, "content-encoding": "br" })).toBe(415);
  expect(await post(sink, "/v1/traces", "no gzip", GZIP)).toBe(400);
  // 33 MB of zeros become some 32 kB.
  expect(await post(sink, "/v1/traces", new Uint8Array(gzipSync(Buffer.alloc(33 * 2 ** 20))), GZIP)).toBe(413);
  expect(await post(sink, "/v1/traces", new Uint8Array(33 * 2 ** 20))).toBe(413);
  expect(sink.endWindow()).toMatchObject({ traces: Buffer.alloc(0), exportRequests: 0, refused: 5 });
});

test("another path or method is nothing that was to be taken", async () => {
  const sink = await sinkFor();
  expect(await post(sink, "/v1/profiles", "abc")).toBe(404);
  expect((await fetch(`${sink.url}/v1/traces`)).status).toBe(404);
  expect(sink.endWindow()).toMatchObject({ exportRequests: 0, refused: 0 });
});

test("a sender that goes away in the middle leaves nothing behind but a count", async () => {
  const sink = await sinkFor();
  const socket = connect(Number(new URL(sink.url).port), "127.0.0.1");
  const head =
    "POST /v1/traces HTTP/1.1\r\nhost: sink\r\ncontent-type: application/x-protobuf\r\ncontent-length: 6\r\n";
  socket.write(`${head}\r\nabc`);
  await post(sink, "/v1/traces", "whole");
  socket.destroy();
  await expect.poll(() => sink.endWindow().refused).toBe(1);
  expect(sink.endWindow()).toMatchObject({ traces: Buffer.from("whole"), exportRequests: 1 });
});
