import { Client, credentials, Metadata, type ServiceError, status as Status } from "@grpc/grpc-js";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FaultyFiles } from "../testing/faulty-files.ts";
import { httpPost } from "../testing/http-post.ts";
import { encodeRequest, sampleRequests } from "../testing/otlp-sample.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import type { IngestLimits } from "./limits.ts";
import { type Ingest, startIngest } from "./start-ingest.ts";
import { DISK } from "./wal/wal-files.ts";

const MIB = 2 ** 20;
let dir: string;
let sink: RecordingSink;
let files: FaultyFiles;
let ingest: Ingest;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "longpole-hostile-"));
  sink = new RecordingSink();
  files = new FaultyFiles(DISK);
});
afterEach(async () => {
  await ingest.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function start(
  limits: Partial<IngestLimits> = {},
  authorize?: (header: string | undefined) => boolean,
): Promise<void> {
  const address = { host: "127.0.0.1", port: 0 };
  ingest = await startIngest({
    listen: { http: address, grpc: address },
    walDir: dir,
    sink,
    files,
    limits: { minFreeBytes: 0, ...limits },
    ...(authorize === undefined ? {} : { authorize }),
    log: () => {},
  });
}

const spans = (seed = 1): Uint8Array => encodeRequest(sampleRequests(1, seed)[0]!);
const PROTOBUF = { "content-type": "application/x-protobuf" };
const GZIP = { ...PROTOBUF, "content-encoding": "gzip" };
const post = async (body: Uint8Array, headers: Record<string, string> = PROTOBUF): Promise<number> =>
  (await httpPost(ingest.ports.http!, "/v1/traces", body, headers)).status;

/** The most memory that buffers took while `run` went on, beyond what they took before. */
async function extraBytes(run: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 1);
  await run();
  clearInterval(timer);
  return most - before;
}

/** Writes text as it is; resolves with all that came back when the other side closes. */
function raw(text: string): { socket: Socket; closed: Promise<string> } {
  const socket = connect(ingest.ports.http!, "127.0.0.1");
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
  socket.on("error", () => {});
  socket.write(text);
  return { socket, closed: new Promise((resolve) => socket.once("close", () => resolve(answer))) };
}

describe("bombs", () => {
  it("of gzip are refused with 413 and little memory", async () => {
    await start();
    // 1,029 bytes for each that is sent: the most that deflate can do.
    const bomb = gzipSync(Buffer.alloc(64 * MIB), { level: 9 });
    expect(bomb.length).toBeLessThan(MIB / 8);
    const extra = await extraBytes(async () => {
      expect(await post(bomb, GZIP)).toBe(413);
    });
    expect(extra).toBeLessThan(64 * MIB);
  });

  it("of attributes are cut and kept", async () => {
    await start();
    const withAttribute = (size: number): Uint8Array => {
      const [request] = sampleRequests(1, 2);
      request!.resourceSpans[0]!.scopeSpans[0]!.spans[0]!.attributes!.push({
        key: "big",
        value: { stringValue: "x".repeat(size) },
      });
      return encodeRequest(request!);
    };
    expect(await post(withAttribute(4 * MIB))).toBe(200);
    await ingest.flush();
    const [table] = [...sink.spans.values()];
    expect(table!.strings.byteLength).toBeLessThan(MIB);
  });

  it("of depth do not break the stack", async () => {
    await start();
    const depth = 10_000;
    const value = `${'{"arrayValue":{"values":['.repeat(depth)}{"intValue":1}${"]}}".repeat(depth)}`;
    const text = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","startTimeUnixNano":"1790000000000000000","endTimeUnixNano":"1790000000000000000","attributes":[{"key":"deep","value":${value}}]}]}]}]}`;
    const { status, body } = await httpPost(ingest.ports.http!, "/v1/traces", text, {
      "content-type": "application/json",
    });
    expect([status, body.toString()]).toEqual([413, expect.stringContaining("at most 10000 levels of nesting")]);
    expect(await post(spans())).toBe(200);
  });
});

describe("slow senders", () => {
  it("of headers and bodies are cut off, and others do not notice", async () => {
    const bodies = [1, 2, 3].map(spans);
    await start({ headersTimeoutMs: 500, requestTimeoutMs: 1000 });
    const headers = raw("POST /v1/traces HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    const body = raw(
      "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100\r\n\r\nabc",
    );
    const dripping = setInterval(() => headers.socket.write("a"), 20);
    const statuses = await Promise.all(bodies.map((body) => post(body)));
    expect(statuses).toEqual([200, 200, 200]);
    const answers = await Promise.all([headers.closed, body.closed]);
    clearInterval(dripping);
    for (const answer of answers) expect(answer).toMatch(/^(HTTP\/1\.1 408 |$)/);
  });

  it("of gRPC are cut off: a call that does not end, and a connection that does nothing", async () => {
    await start({ requestTimeoutMs: 100, keepAliveTimeoutMs: 300 });
    const session = connectHttp2(`http://127.0.0.1:${ingest.ports.grpc}`);
    session.on("error", () => {});
    const closed = new Promise<void>((resolve) => session.once("close", () => resolve()));
    const stream = session.request({
      ":method": "POST",
      ":path": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const code = await new Promise<unknown>((resolve, reject) => {
      stream.on("error", reject);
      stream.on("response", (head) => head["grpc-status"] !== undefined && resolve(head["grpc-status"]));
      stream.on("trailers", (trailers) => resolve(trailers["grpc-status"]));
      // The beginning of a message of 1000 bytes.
      stream.write(Buffer.from([0, 0, 0, 3, 0xe8, 1]));
    });
    expect(Number(code)).toBe(Status.DEADLINE_EXCEEDED);
    stream.destroy();
    await closed;
  });
});

describe("overload", () => {
  it("is refused in protocol, what is acknowledged is stored, and it ends by itself", async () => {
    await start({ inFlightRequests: 8 });
    // A disk that takes 5 ms: some hundred requests a second with eight at a time are far below what comes.
    files.before = async (call) => {
      if (call === "sync") await new Promise((resolve) => setTimeout(resolve, 5));
    };
    const body = spans();
    const answers = await Promise.all(
      Array.from({ length: 300 }, () => httpPost(ingest.ports.http!, "/v1/traces", body, PROTOBUF)),
    );
    const taken = answers.filter(({ status }) => status === 200).length;
    const refused = answers.filter(({ status }) => status === 429);
    expect(taken + refused.length).toBe(300);
    expect(taken).toBeGreaterThan(8);
    expect(refused.length).toBeGreaterThan(0);
    expect(new Set(refused.map(({ headers }) => headers["retry-after"]))).toEqual(new Set(["1"]));
    expect(await post(body)).toBe(200);
    await ingest.flush();
    expect(sink.spanIds()).toHaveLength(100 * (taken + 1));
    expect(ingest.ledger().requests).toMatchObject({ taken: taken + 1, overloaded: refused.length });
  });

  it("counts bodies without a length against the budget as they come", async () => {
    await start({ inFlightBytes: 100_000 });
    const { socket, closed } = raw(
      "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const chunk = `4e20\r\n${"x".repeat(20_000)}\r\n`;
    for (let i = 0; i < 8; i++) socket.write(chunk);
    socket.write("0\r\n\r\n");
    setTimeout(() => socket.end(), 200);
    expect(await closed).toMatch(/^HTTP\/1\.1 429 /);
  });
});

describe("strangers", () => {
  const isFriend = (header: string | undefined): boolean => header === "Bearer right";

  it("are refused over HTTP and gRPC, before their data is looked at", async () => {
    await start({}, isFriend);
    expect(await post(spans())).toBe(401);
    expect(await post(spans(), { ...PROTOBUF, authorization: "Bearer wrong" })).toBe(401);
    expect(await post(spans(), { ...PROTOBUF, authorization: "Bearer right" })).toBe(200);
    const client = new Client(`127.0.0.1:${ingest.ports.grpc}`, credentials.createInsecure());
    const call = (token: string): Promise<number> => {
      const metadata = new Metadata();
      metadata.set("authorization", token);
      const asIs = (bytes: Buffer): Buffer => bytes;
      const path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
      return new Promise((resolve) => {
        client.makeUnaryRequest(path, asIs, asIs, Buffer.from(spans()), metadata, (error: ServiceError | null) =>
          resolve(error?.code ?? 0),
        );
      });
    };
    expect([await call("Bearer wrong"), await call("Bearer right")]).toEqual([Status.UNAUTHENTICATED, 0]);
    client.close();
    expect(ingest.ledger().signals.traces.received).toBe(200);
  });

  it("from other machines need a token: without one, only loopback is listened on", async () => {
    await start();
    for (const host of ["0.0.0.0", "::", "192.0.2.1"]) {
      const elsewhere = startIngest({ listen: { http: { host, port: 0 } }, walDir: `${dir}x`, sink, log: () => {} });
      await expect(elsewhere).rejects.toThrow(`${host} can be reached from other machines`);
    }
  });

  it("in browsers get nothing by other pages: no CORS, and no type that needs no permission", async () => {
    await start();
    const preflight = await httpPost(
      ingest.ports.http!,
      "/v1/traces",
      "",
      { origin: "https://evil.example" },
      "OPTIONS",
    );
    expect([preflight.status, preflight.headers["access-control-allow-origin"]]).toEqual([405, undefined]);
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
      expect(await post(spans(), { "content-type": type })).toBe(415);
    }
  });
});
