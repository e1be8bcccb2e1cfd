import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeRequest, RequestType, type SampleRequest, sampleRequests } from "../testing/otlp-sample.ts";
import { assertMetricTable } from "../model/metric-table.ts";
import { assertSpanTable } from "../model/span-table.ts";
import { type LoadedInputs, type LoadOptions, type LoadProgress, loadInputs } from "./load-inputs.ts";

let folder = "";
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "load-inputs-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(content: string | Uint8Array, name = `file-${files++}`): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Loads and checks what must hold for any input. */
async function load(paths: string[], options?: LoadOptions, steps: LoadProgress[] = []): Promise<LoadedInputs> {
  const loading = loadInputs(paths, options);
  for (;;) {
    const step = await loading.next();
    if (!step.done) {
      steps.push(step.value);
      continue;
    }
    const { spans, metrics: table, intake } = step.value;
    assertSpanTable(spans);
    assertMetricTable(table);
    expect(table.points.rowCount).toBe(intake.points.accepted);
    expect(intake.points.received).toBe(
      intake.points.accepted + [...intake.points.rejected.values()].reduce((sum, held) => sum + held.points, 0),
    );
    expect(spans.rowCount).toBe(intake.accepted);
    expect(intake.received).toBe(
      intake.accepted + [...intake.rejected.values()].reduce((sum, held) => sum + held.spans, 0),
    );
    return step.value;
  }
}

const requests = sampleRequests(6, 11);
const bodies = requests.map((request) => Buffer.from(encodeRequest(request)));
const prefix = (body: Uint8Array): Buffer => {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(body.length);
  return Buffer.concat([size, body]);
};
/** OTLP JSON: ids in hex. */
const json = (request: SampleRequest): string =>
  JSON.stringify(
    RequestType.toObject(RequestType.fromObject(request), { longs: String, bytes: Array }),
    (_, value: unknown) =>
      Array.isArray(value) && value.length > 0 && typeof value[0] === "number"
        ? Buffer.from(value as number[]).toString("hex")
        : value,
  );
const jaeger = JSON.stringify({
  data: [
    {
      traceID: "1",
      spans: [
        {
          traceID: "1",
          spanID: "2",
          operationName: "op",
          references: [],
          startTime: 5,
          duration: 2,
          tags: [],
          logs: [],
          processID: "p",
        },
      ],
      processes: { p: { serviceName: "s", tags: [] } },
    },
  ],
});
const zipkinSpan = JSON.stringify({
  traceId: "00000000000000aa",
  id: "00000000000000bb",
  name: "op",
  timestamp: 1_790_000_000_000_000,
  duration: 10,
});
const logs = '{"resourceLogs":[{"scopeLogs":[]}]}';
/** One gauge with one point. */
const metrics = (seconds: number): string =>
  JSON.stringify({
    resourceMetrics: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "shop" } }] },
        scopeMetrics: [
          {
            metrics: [
              {
                name: "heap",
                gauge: { dataPoints: [{ timeUnixNano: `${1_790_000_000 + seconds}000000000`, asInt: "7" }] },
              },
            ],
          },
        ],
      },
    ],
  });

describe("every kind of file", () => {
  test.each([
    ["OTLP protobuf", Buffer.concat(bodies), 600],
    ["OTLP protobuf, gzip", gzipSync(Buffer.concat(bodies)), 600],
    ["OTLP protobuf, each behind its length", Buffer.concat(bodies.map(prefix)), 600],
    ["OTLP JSON, a document", json(requests[0]!), 100],
    ["OTLP JSON, a document with line breaks", JSON.stringify(JSON.parse(json(requests[0]!)), null, 1), 100],
    ["OTLP JSON, lines", requests.map(json).join("\n"), 600],
    ["OTLP JSON, lines, gzip members", Buffer.concat(requests.map((request) => gzipSync(`${json(request)}\n`))), 600],
    [
      "a line break only after the first 64 KiB",
      json({ resourceSpans: requests.flatMap((r) => r.resourceSpans) }).replace(/\]\}$/, "\n]}"),
      600,
    ],
    ["Jaeger", jaeger, 1],
    ["Zipkin", `[${zipkinSpan}]`, 1],
    ["Zipkin, lines", `${zipkinSpan}\r\n\n${zipkinSpan}\n`, 2],
  ])("%s", async (_, content, spans) => {
    const path = write(content);
    const loaded = await load([path]);
    expect(loaded.intake.errors).toEqual([]);
    expect([loaded.spans.rowCount, loaded.files]).toEqual([spans, [path]]);
    // The same from stdin in small pieces.
    const bytes = Buffer.from(content);
    async function* stdin(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += 999) yield bytes.subarray(at, at + 999);
    }
    expect((await load(["-"], { stdin: stdin() })).spans.rowCount).toBe(spans);
  });

  test("traces, metrics and logs in lines of one file: the first two are read, the others told", async () => {
    const path = write([metrics(0), json(requests[0]!), logs, metrics(10), json(requests[1]!), logs].join("\n"));
    const loaded = await load([path]);
    expect([loaded.spans.rowCount, loaded.metrics.points.rowCount, loaded.intake.errors.length]).toEqual([200, 2, 0]);
    expect(loaded.metrics.seriesCount).toBe(1);
    expect(loaded.skipped).toEqual([{ path, reason: "2 lines of logs, which are not used here" }]);
  });

  test("metrics as text without times are of when the file was written", async () => {
    const path = write('# TYPE up gauge\nup{job="a"} 1\n');
    const loaded = await load([path]);
    expect(loaded.files).toEqual([path]);
    expect(loaded.metrics.points.rowCount).toBe(1);
    const unixNs = Number(loaded.metrics.baseUnixNs) + loaded.metrics.points.timeOffsetNs[0]!;
    expect(Math.abs(unixNs / 1e6 - statSync(path).mtimeMs)).toBeLessThan(1);
  });

  test("a ResourceSpans larger than the chunks it comes in", async () => {
    const big = {
      resourceSpans: [
        { scopeSpans: [{ spans: requests.flatMap((r) => r.resourceSpans[0]!.scopeSpans.flatMap((s) => s.spans)) }] },
      ],
    };
    const many = {
      resourceSpans: [{ scopeSpans: Array.from({ length: 10 }, () => big.resourceSpans[0]!.scopeSpans[0]!) }],
    };
    expect((await load([write(encodeRequest(many))])).spans.rowCount).toBe(6000);
  });
});

describe("directories", () => {
  test("sorted, recursive, without hidden files; what holds neither traces nor metrics is listed with its reason", async () => {
    const top = join(folder, "dir");
    mkdirSync(join(top, "b"), { recursive: true });
    mkdirSync(join(top, ".git"));
    write(bodies[0]!, "dir/b/2.pb");
    write(bodies[1]!, "dir/a.pb");
    write(bodies[2]!, "dir/.git/hidden.pb");
    write(logs, "dir/m.json");
    write("a,b\n1,2\n", "dir/x.csv");
    write("", "dir/zero");
    symlinkSync(join(top, "b"), join(top, "loop"));
    const loaded = await load([top]);
    expect(loaded.intake.errors).toEqual([]);
    expect(loaded.spans.rowCount).toBe(200);
    expect(loaded.files.map((path) => path.slice(top.length))).toEqual(["/a.pb", "/b/2.pb"]);
    expect(loaded.skipped.map(({ path, reason }) => `${path.slice(top.length)}: ${reason}`)).toEqual([
      "/loop: symbolic link to a directory",
      "/m.json: 1 lines of logs, which are not used here",
      "/x.csv: a CSV file (give traces or metrics to this command)",
      "/zero: an empty file",
    ]);
  });

  test("a file that the user names is an error when it is not understood; the others are read", async () => {
    const [csv, good, empty] = [write("a,b\n1,2\n"), write(bodies[0]!), write("")];
    const loaded = await load([csv, good, empty, join(folder, "absent"), good]);
    expect(loaded.spans.rowCount).toBe(100);
    expect(loaded.intake.errors.map((error) => error.code).toSorted()).toEqual(["empty", "unreadable", "unsupported"]);
    expect(loaded.skipped).toEqual([{ path: good, reason: "the same file again" }]);
  });
});

describe("damage", () => {
  const small = encodeRequest({
    resourceSpans: [{ scopeSpans: [{ spans: requests[0]!.resourceSpans[0]!.scopeSpans[0]!.spans.slice(0, 3) }] }],
  });
  const lines = `${zipkinSpan}\n${zipkinSpan}\n`;
  test.each([
    ["protobuf", small, 7],
    ["protobuf, gzip", gzipSync(small), 7],
    ["JSON lines", Buffer.from(lines), 1],
    ["JSON lines, gzip", gzipSync(lines), 1],
  ])("%s cut at every byte: no crash, an error or all spans so far", async (_, bytes, step) => {
    for (let size = 1; size < bytes.length; size += step) {
      const { intake, spans } = await load([write(bytes.subarray(0, size), "cut")]);
      const whole = intake.errors.length === 0;
      if (whole) expect(spans.rowCount).toBeGreaterThan(0);
      expect(intake.errors.length).toBeLessThanOrEqual(1);
    }
  });

  test("spans before the damage stay, the error tells where it is", async () => {
    const path = write(Buffer.concat([...bodies.slice(0, 3), Buffer.from([0x07, 0x07])]));
    const loaded = await load([path]);
    const at = bodies.slice(0, 3).reduce((sum, body) => sum + body.length, 0);
    expect(loaded.intake.errors).toMatchObject([{ code: "malformed", file: path, byteOffset: at }]);
    expect(loaded.spans.rowCount).toBe(300);
  });

  test("a gzip file that ends early keeps what could be decompressed", async () => {
    const bytes = gzipSync(Buffer.concat(bodies));
    const loaded = await load([write(bytes.subarray(0, bytes.length >> 1))]);
    expect(loaded.intake.errors).toMatchObject([{ code: "truncated", byteOffset: bytes.length >> 1 }]);
    expect(loaded.spans.rowCount).toBeGreaterThan(200);
    expect(loaded.intake.received - loaded.intake.accepted).toBe(1);
  });

  test("damaged lines: the good ones are read, three errors in full and the rest counted", async () => {
    const bad = '{"traceId":"00","id":';
    const loaded = await load([write(Array.from({ length: 10 }, () => `${zipkinSpan}\n${bad}`).join("\n"))]);
    expect(loaded.spans.rowCount).toBe(10);
    expect(loaded.intake.errors.map((error) => error.found).at(-1)).toBe("damage in 7 more lines");
    expect(loaded.intake.errors.length).toBe(4);
  });

  test("empty lines are no lines, but bytes: the error behind them tells its own", async () => {
    const line = json(requests[0]!);
    const { intake } = await load([write(`\n\n${line}\n\n\n{"resourceSpans":?}\n\n`)]);
    expect(intake.errors.map((error) => [error.code, error.byteOffset])).toEqual([
      ["malformed", 2 + Buffer.byteLength(line) + 3 + '{"resourceSpans":'.length],
    ]);
    expect(intake.accepted).toBeGreaterThan(0);
  });

  test("standard input named twice is read once", async () => {
    async function* stdin(): AsyncGenerator<Uint8Array> {
      yield bodies[0]!;
    }
    const { intake, skipped } = await load(["-", "-"], { stdin: stdin() });
    expect(intake.errors).toEqual([]);
    expect(intake.received).toBe((await load([write(bodies[0]!)])).intake.received);
    expect(skipped).toEqual([{ path: "-", reason: "the same file again" }]);
  });

  test("noise of any kind", async () => {
    let state = 1;
    for (let run = 0; run < 200; run++) {
      const bytes = Uint8Array.from({ length: 300 }, () => (state = Math.imul(state, 48_271) & 0x7fffffff) >> 8);
      bytes.set([[0x0a], [0x7b, 0x22], [0x5b], [0x1f, 0x8b, 8], [0x28, 0xb5, 0x2f, 0xfd], []][run % 6]!);
      const loaded = await load([write(bytes, "noise")]);
      expect(loaded.intake.errors.length).toBeGreaterThan(0);
    }
  });

  test("a gzip bomb of 1 GB of zeros: a clear error from the first 64 KiB, little memory", async () => {
    const member = gzipSync(Buffer.alloc(16 << 20));
    const path = write(Buffer.concat(Array.from({ length: 64 }, () => member)));
    const before = process.memoryUsage().rss;
    const loaded = await load([path]);
    expect(loaded.intake.errors).toMatchObject([{ code: "unknown-kind", found: "bytes 00 00 00 00 00 00 00 00" }]);
    expect(loaded.intake.bytesRead).toBeLessThan(1 << 20);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
  });

  test("a message said to be larger than 1 GiB is refused when its length is read", async () => {
    const head = Buffer.concat([bodies[0]!, Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), Buffer.alloc(1 << 20)]);
    const loaded = await load([write(head)]);
    expect(loaded.spans.rowCount).toBe(100);
    expect(loaded.intake.errors).toMatchObject([{ code: "too-large", byteOffset: bodies[0]!.length }]);
  });
});

describe("progress and stopping", () => {
  test("the first report comes before anything is read, the last of a file after it; counts only grow", async () => {
    const path = write(Buffer.concat(bodies));
    const steps: LoadProgress[] = [];
    await load([path], {}, steps);
    const bytesTotal = Buffer.concat(bodies).length;
    expect(steps[0]).toEqual({ file: "", filesDone: 0, filesTotal: 1, bytesRead: 0, bytesTotal, spans: 0, points: 0 });
    expect(steps.at(-1)).toEqual({
      file: path,
      filesDone: 1,
      filesTotal: 1,
      bytesRead: bytesTotal,
      bytesTotal,
      spans: 600,
      points: 0,
    });
    for (let i = 1; i < steps.length; i++) expect(steps[i]!.bytesRead).toBeGreaterThanOrEqual(steps[i - 1]!.bytesRead);
  });

  test("a signal stops it; what was read until then is returned", async () => {
    const controller = new AbortController();
    async function* stdin(): AsyncGenerator<Uint8Array> {
      yield bodies[0]!;
      for (const body of bodies) yield Buffer.concat([body, body, body]);
      controller.abort();
      for (;;) yield bodies[0]!;
    }
    const loaded = await load(["-", write(bodies[0]!)], { stdin: stdin(), signal: controller.signal });
    expect(loaded.aborted).toBe(true);
    expect(loaded.spans.rowCount).toBeGreaterThan(1000);
    expect(loaded.intake.errors).toEqual([]);
  });

  test("the span in which it was stopped is not counted as a malformed one", async () => {
    const body = bodies[0]!;
    const controller = new AbortController();
    async function* stdin(): AsyncGenerator<Uint8Array> {
      // In the last span: the two requests are more than the prefix that tells the kind.
      yield Buffer.concat([body, body.subarray(0, body.length - 3)]);
      controller.abort();
      yield body.subarray(body.length - 3);
    }
    const { intake, spans } = await load(["-"], { stdin: stdin(), signal: controller.signal });
    expect(intake.rejected.size).toBe(0);
    expect(intake.received).toBe(spans.rowCount);
    expect(spans.rowCount).toBeGreaterThan(100);
  });
});
