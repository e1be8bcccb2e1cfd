import { Client, credentials, type ServiceError, status as Status } from "@grpc/grpc-js";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foldedLines } from "../formats/write-folded.ts";
import { httpPost } from "../testing/http-post.ts";
import { decodeAnswer } from "../testing/otlp-answers.ts";
import {
  spans,
  spansWithBadOnes,
  points,
  PROFILES,
  profiles,
  pointsWithABadOne,
  withUnknownFields,
  JSON_SPAN,
  jsonSpans,
  BROKEN,
  ONE_LOG_RECORD,
  PROTOBUF,
  JSON_TYPE,
} from "../testing/otlp-bodies.ts";
import { detailOf, errorOf, exportBy, okOf } from "../testing/otlp-grpc-client.ts";
import { encodeProfiles } from "../testing/otlp-profiles-sample.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import { type Ingest, startIngest } from "./start-ingest.ts";

/*
 * What the OTLP specification asks of a server, MUST and SHOULD, sentence by sentence:
 * https://opentelemetry.io/docs/specs/otlp/. What it asks of clients is not here.
 */

const LIMIT = 200_000;
let dir: string;
let ingest: Ingest;
/** one whose disk has no room: it refuses everything that would have to be kept */
let full: Ingest;
let fullDir: string;
/** one that has more to do than it can: it refuses before it reads */
let busy: Ingest;
let busyDir: string;
let client: Client;
let fullClient: Client;
let busyClient: Client;
const sink = new RecordingSink();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "longpole-otlp-"));
  fullDir = mkdtempSync(join(tmpdir(), "longpole-otlp-"));
  busyDir = mkdtempSync(join(tmpdir(), "longpole-otlp-"));
  const address = { host: "127.0.0.1", port: 0 };
  const listen = { http: address, grpc: address };
  const limits = { minFreeBytes: 0, bodyBytes: LIMIT, decompressedBytes: LIMIT };
  const log = (): void => {};
  ingest = await startIngest({ listen, walDir: dir, sink, limits, log });
  full = await startIngest({ listen, walDir: fullDir, sink, limits: { ...limits, walBytes: 0 }, log });
  busy = await startIngest({ listen, walDir: busyDir, sink, limits: { ...limits, inFlightRequests: 0 }, log });
  client = new Client(`127.0.0.1:${ingest.ports.grpc}`, credentials.createInsecure());
  fullClient = new Client(`127.0.0.1:${full.ports.grpc}`, credentials.createInsecure());
  busyClient = new Client(`127.0.0.1:${busy.ports.grpc}`, credentials.createInsecure());
});
afterAll(async () => {
  for (const one of [client, fullClient, busyClient]) one.close();
  await Promise.all([ingest.stop(), full.stop(), busy.stop()]);
  for (const one of [dir, fullDir, busyDir]) rmSync(one, { recursive: true, force: true });
});

const json = (value: unknown): string => JSON.stringify(value);

function httpTo(to: Ingest, path: string, body: Uint8Array | string, headers: Record<string, string> = PROTOBUF) {
  return httpPost(to.ports.http!, path, body, headers);
}
const http = (path: string, body: Uint8Array | string, headers?: Record<string, string>) =>
  httpTo(ingest, path, body, headers);

const grpc = (signal: Parameters<typeof exportBy>[1], body: Uint8Array, by = client) => exportBy(by, signal, body);
const GZIP = 2;

describe("all transports", () => {
  it("MUST support no compression and gzip", async () => {
    expect((await http("/v1/traces", spans())).status).toBe(200);
    expect((await http("/v1/traces", gzipSync(spans()), { ...PROTOBUF, "content-encoding": "gzip" })).status).toBe(200);
    expect(okOf(await grpc("traces", spans()))).toEqual({});
    const zipped = new Client(`127.0.0.1:${ingest.ports.grpc}`, credentials.createInsecure(), {
      "grpc.default_compression_algorithm": GZIP,
    });
    const before = ingest.ledger().signals.traces.received;
    expect(okOf(await grpc("traces", spans(), zipped))).toEqual({});
    zipped.close();
    expect(ingest.ledger().signals.traces.received - before).toBe(100);
  });
});

describe("OTLP/gRPC", () => {
  it("MUST enforce a message size limit: RESOURCE_EXHAUSTED", async () => {
    expect(errorOf(await grpc("traces", Buffer.alloc(LIMIT + 1))).code).toBe(Status.RESOURCE_EXHAUSTED);
  });

  it("SHOULD support concurrent unary calls", async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => grpc("traces", spans())));
    expect(answers.map(okOf)).toEqual(answers.map(() => ({})));
  });

  it.each(["traces", "metrics", "logs", "profiles"] as const)(
    "SHOULD respond with success to an empty request: %s",
    async (signal) => {
      expect(okOf(await grpc(signal, Buffer.alloc(0)))).toEqual({});
    },
  );

  it.each([
    ["traces", spans],
    ["metrics", points],
    ["profiles", profiles],
  ] as const)("MUST answer with the response message, partial_success unset, on success: %s", async (signal, body) => {
    expect(okOf(await grpc(signal, body()))).toEqual({});
  });

  it.each([
    ["metrics", pointsWithABadOne, 1],
    ["logs", () => ONE_LOG_RECORD, 1],
  ] as const)("MUST set partial_success of other signals: %s", async (signal, body, rejected) => {
    expect(okOf(await grpc(signal, body()))).toMatchObject({ partialSuccess: { rejected } });
  });

  it("MUST ignore unknown fields", async () => {
    for (const [signal, body] of [
      ["traces", spans()],
      ["metrics", points()],
      ["profiles", profiles()],
    ] as const) {
      expect(okOf(await grpc(signal, withUnknownFields(body)))).toEqual({});
    }
  });

  it("SHOULD answer UNAVAILABLE with RetryInfo when there is too much to do, to every signal", async () => {
    for (const signal of ["traces", "metrics", "logs", "profiles"] as const) {
      const error = errorOf(await grpc(signal, spans(), busyClient));
      expect([error.code, detailOf(error).url]).toEqual([
        Status.UNAVAILABLE,
        "type.googleapis.com/google.rpc.RetryInfo",
      ]);
    }
  });

  it("keeps the connection between calls, also behind failures", async () => {
    const sockets = new Set<number>();
    // What stands between counts the connections that the client makes.
    const between = createServer((socket) => {
      sockets.add(socket.remotePort!);
      const onward = connect(ingest.ports.grpc!, "127.0.0.1");
      socket.pipe(onward).pipe(socket);
    });
    await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
    const own = new Client(`127.0.0.1:${(between.address() as AddressInfo).port}`, credentials.createInsecure());
    for (const body of [spans(), BROKEN, spans()]) await grpc("traces", body, own);
    own.close();
    await new Promise((resolve) => between.close(resolve));
    expect(sockets.size).toBe(1);
  });

  it("MUST set partial_success with the number rejected, and SHOULD say why", async () => {
    const { partialSuccess } = okOf(await grpc("traces", spansWithBadOnes())) as { partialSuccess: object };
    expect(partialSuccess).toEqual({
      rejected: 2,
      errorMessage: expect.stringMatching(
        /^2 spans rejected: 2 trace-id-invalid; the first: request: byte \d+: found no trace_id$/,
      ),
    });
  });

  it("SHOULD indicate bad data by INVALID_ARGUMENT and MAY add a BadRequest", async () => {
    const error = errorOf(await grpc("traces", BROKEN));
    expect(error.code).toBe(Status.INVALID_ARGUMENT);
    expect(error.details).toMatch(/^request at byte 3: expected 30 bytes/);
    const { url, value } = detailOf(error);
    expect(url).toBe("type.googleapis.com/google.rpc.BadRequest");
    expect(decodeAnswer("BadRequest", value)).toEqual({
      fieldViolations: [{ field: "byte 3", description: expect.stringContaining("found") }],
    });
  });

  it("SHOULD indicate retryable errors and backpressure by UNAVAILABLE and MAY add RetryInfo", async () => {
    const error = errorOf(await grpc("traces", spans(), fullClient));
    expect(error.code).toBe(Status.UNAVAILABLE);
    const { url, value, status } = detailOf(error);
    expect(url).toBe("type.googleapis.com/google.rpc.RetryInfo");
    expect(decodeAnswer("RetryInfo", value)).toEqual({ retryDelay: { seconds: 5 } });
    expect(status).toMatchObject({ code: 14, message: expect.stringContaining("budget") });
  });

  it("answers UNIMPLEMENTED to a method it does not have", async () => {
    const asIs = (bytes: Buffer): Buffer => bytes;
    const error = await new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest("/other.Service/Export", asIs, asIs, Buffer.alloc(0), (found) => resolve(found));
    });
    expect(error?.code).toBe(Status.UNIMPLEMENTED);
  });
});

describe("OTLP/HTTP", () => {
  it.each([
    ["/v1/traces", spans],
    ["/v1/metrics", points],
    ["/v1development/profiles", profiles],
  ] as const)(
    "MUST answer 200 with the response message in protobuf, partial_success unset: %s",
    async (path, body) => {
      const { status, headers, body: answer } = await http(path, body());
      expect([status, headers["content-type"], decodeAnswer("ExportResponse", answer)]).toEqual([
        200,
        "application/x-protobuf",
        {},
      ]);
    },
  );

  it("MUST answer JSON in JSON, on the same port", async () => {
    const { status, headers, body } = await http("/v1/traces", jsonSpans(JSON_SPAN), JSON_TYPE);
    expect([status, headers["content-type"], body.toString()]).toEqual([200, "application/json", "{}"]);
  });

  it("takes ids in hex of either case, and 64-bit numbers as numbers and as strings", async () => {
    const before = ingest.ledger().signals.traces.received;
    await http(
      "/v1/traces",
      jsonSpans(JSON_SPAN, { ...JSON_SPAN, traceId: String(JSON_SPAN.traceId).toLowerCase() }),
      JSON_TYPE,
    );
    expect(ingest.ledger().signals.traces.received - before).toBe(2);
    await ingest.flush();
    expect(sink.spanIds().filter((id) => id === JSON_SPAN.spanId).length).toBeGreaterThanOrEqual(2);
  });

  it("MUST ignore fields with unknown names in JSON", async () => {
    const unknown = { ...JSON_SPAN, spanKindOfTomorrow: [{ deep: { deeper: [1, "two", null] } }] };
    const { status, body } = await http("/v1/traces", jsonSpans(unknown), JSON_TYPE);
    expect([status, body.toString()]).toEqual([200, "{}"]);
  });

  it.each(["/v1/traces", "/v1/metrics", "/v1/logs", "/v1development/profiles"])(
    "SHOULD respond with success to an empty request: %s",
    async (path) => {
      expect((await http(path, "")).status).toBe(200);
      const { status, body } = await http(path, "{}", JSON_TYPE);
      expect([status, body.toString()]).toEqual([200, "{}"]);
    },
  );

  it("MUST answer 200 with partial_success and the number rejected, and SHOULD say why", async () => {
    const binary = await http("/v1/traces", spansWithBadOnes());
    expect(binary.status).toBe(200);
    expect(decodeAnswer("ExportResponse", binary.body)).toEqual({
      partialSuccess: { rejected: 2, errorMessage: expect.stringContaining("trace-id-invalid") },
    });
    const text = await http("/v1/traces", jsonSpans(JSON_SPAN, { ...JSON_SPAN, traceId: "" }), JSON_TYPE);
    expect(text.status).toBe(200);
    expect(JSON.parse(text.body.toString())).toEqual({
      partialSuccess: { rejectedSpans: "1", errorMessage: expect.stringContaining("trace-id-invalid") },
    });
  });

  it("tells senders of logs that they are not kept, and how many they sent", async () => {
    const logs = {
      resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: {} }, { body: {} }] }, { logRecords: [{}] }] }],
    };
    const text = await http("/v1/logs", json(logs), JSON_TYPE);
    expect(JSON.parse(text.body.toString())).toMatchObject({ partialSuccess: { rejectedLogRecords: "3" } });
    // The same by hand: ResourceLogs { ScopeLogs { LogRecord {}, LogRecord {} } }.
    const binary = await http("/v1/logs", Buffer.from([0x0a, 6, 0x12, 4, 0x12, 0, 0x12, 0]));
    expect(decodeAnswer("ExportResponse", binary.body)).toMatchObject({ partialSuccess: { rejected: 2 } });
  });

  it("MUST limit the size of the body, also after decompression, and SHOULD answer 413", async () => {
    expect((await http("/v1/traces", Buffer.alloc(LIMIT + 1))).status).toBe(413);
    const bomb = gzipSync(Buffer.alloc(50 * LIMIT));
    expect(bomb.length).toBeLessThan(LIMIT);
    const { status, body } = await http("/v1/traces", bomb, { ...PROTOBUF, "content-encoding": "gzip" });
    expect([status, decodeAnswer("Status", body).message]).toEqual([
      413,
      expect.stringContaining(`at most ${LIMIT} bytes`),
    ]);
  });

  it("MUST answer 400 to bad data, with a Status and SHOULD with a BadRequest", async () => {
    const binary = await http("/v1/traces", BROKEN);
    expect([binary.status, binary.headers["content-type"]]).toEqual([400, "application/x-protobuf"]);
    const status = decodeAnswer("Status", binary.body) as { message: string; details: { typeUrl: string }[] };
    expect(status.message).toMatch(/^request at byte 3: expected 30 bytes/);
    expect(status.details[0]!.typeUrl).toBe("type.googleapis.com/google.rpc.BadRequest");
    const text = await http("/v1/traces", '{"resourceSpans": [}', JSON_TYPE);
    expect([text.status, text.headers["content-type"]]).toEqual([400, "application/json"]);
    expect(JSON.parse(text.body.toString())).toMatchObject({
      message: expect.stringMatching(/^request at byte 19: /),
      details: [{ "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: [{ field: "byte 19" }] }],
    });
  });

  it("MUST answer failures with a Status in the type of the request", async () => {
    const refused = [
      await httpTo(full, "/v1/traces", spans()),
      await http("/v1/traces", spans(), { ...PROTOBUF, "content-encoding": "br" }),
      await http("/v1/traces", gzipSync(spans()).subarray(0, 60), { ...PROTOBUF, "content-encoding": "gzip" }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([503, 415, 400]);
    for (const { headers, body } of refused) {
      expect(headers["content-type"]).toBe("application/x-protobuf");
      expect(decodeAnswer("Status", body).message).not.toBe("");
    }
    const { status, headers, body } = await http("/v1/traces", "x", { "content-type": "text/csv" });
    expect([status, headers["content-type"], JSON.parse(body.toString()).message]).toEqual([
      415,
      "application/json",
      "Content-Type has to be application/x-protobuf or application/json",
    ]);
  });

  it("SHOULD answer 429 or 503 under load, and MAY add Retry-After", async () => {
    const { status, headers } = await httpTo(full, "/v1/traces", jsonSpans(JSON_SPAN), JSON_TYPE);
    expect([status, headers["retry-after"]]).toEqual([503, "5"]);
    for (const path of ["/v1/traces", "/v1/metrics", "/v1/logs", "/v1development/profiles"]) {
      const told = await httpTo(busy, path, spans());
      expect([told.status, told.headers["retry-after"]]).toEqual([429, "1"]);
      expect(decodeAnswer("Status", told.body)).toMatchObject({ message: expect.stringContaining("too many") });
    }
  });

  it("MUST NOT answer by a retryable code to what would fail again", async () => {
    const RETRYABLE = [429, 502, 503, 504];
    const failures = [
      await http("/v1/traces", BROKEN),
      await http("/v1/traces", "{", JSON_TYPE),
      await http("/v1/traces", Buffer.alloc(LIMIT + 1)),
      await http("/v1/traces", spans(), { ...PROTOBUF, "content-encoding": "br" }),
      await http("/v1/traces", spans(), { "content-type": "text/csv" }),
      await http("/v1/elsewhere", spans()),
    ];
    expect(failures.map(({ status }) => status)).toEqual([400, 400, 413, 415, 415, 404]);
    expect(failures.filter(({ status }) => RETRYABLE.includes(status))).toEqual([]);
  });

  it("MUST ignore unknown fields in protobuf", async () => {
    for (const [path, body] of [
      ["/v1/traces", spans()],
      ["/v1/metrics", points()],
      ["/v1development/profiles", profiles()],
    ] as const) {
      const { status, body: answer } = await http(path, withUnknownFields(body));
      expect([status, answer.length]).toEqual([200, 0]);
    }
  });

  it("MUST set partial_success of other signals", async () => {
    const { status, body } = await http("/v1/metrics", pointsWithABadOne());
    expect([status, decodeAnswer("ExportResponse", body)]).toEqual([
      200,
      { partialSuccess: { rejected: 1, errorMessage: expect.stringContaining("time-missing") } },
    ]);
  });

  it("takes concurrent requests of both types on one port", async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        i % 2 === 0 ? http("/v1/traces", spans()) : http("/v1/traces", jsonSpans(JSON_SPAN), JSON_TYPE),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers.map(({ headers }) => headers["content-type"])).toEqual(
      answers.map((_, i) => (i % 2 === 0 ? PROTOBUF : JSON_TYPE)["content-type"]),
    );
  });

  it("treats other requests according to HTTP", async () => {
    const got = await httpPost(ingest.ports.http!, "/v1/traces", "", {}, "GET");
    expect([got.status, got.headers.allow]).toEqual([405, "POST"]);
    expect((await http("/v1/elsewhere", "")).status).toBe(404);
  });

  it("keeps the connection alive between requests, also behind failures", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number>();
    for (const body of [spans(), BROKEN, spans()]) {
      await new Promise<void>((resolve, reject) => {
        const options = {
          host: "127.0.0.1",
          port: ingest.ports.http,
          path: "/v1/traces",
          method: "POST",
          agent,
          headers: PROTOBUF,
        };
        const sent = httpRequest(options, (response) => response.resume().on("end", resolve));
        sent.on("socket", (socket) => socket.on("connect", () => ports.add(socket.localPort!)));
        sent.on("error", reject).end(body);
      });
    }
    agent.destroy();
    expect(ports.size).toBe(1);
  });
});

describe("OTLP profiles, in development", () => {
  it("are stacks with their service, time and values, by HTTP in protobuf and JSON and by gRPC", async () => {
    await ingest.flush();
    sink.stacks.clear();
    const sent = async (): Promise<unknown> => {
      await ingest.flush();
      const [table] = [...sink.stacks.values()];
      sink.stacks.clear();
      const { processes, samples, strings } = table!;
      const services = Array.from(processes.service, (id) => strings.get(id));
      return {
        services,
        startUnixNs: processes.startUnixNs[0],
        folded: [...foldedLines(table!)],
        rows: samples.rowCount,
      };
    };
    const expected = {
      services: ["orders"],
      startUnixNs: 1_790_000_000_000_000_000n,
      folded: ["main;parse 7"],
      rows: expect.any(Number),
    };
    await http("/v1development/profiles", gzipSync(profiles()), { ...PROTOBUF, "content-encoding": "gzip" });
    expect(await sent()).toEqual(expected);
    const text = await http("/v1development/profiles", json(PROFILES), JSON_TYPE);
    expect([text.status, text.body.toString()]).toEqual([200, "{}"]);
    expect(await sent()).toEqual(expected);
    okOf(await grpc("profiles", profiles()));
    expect(await sent()).toEqual(expected);
  });

  it("of another release are refused by name, not read as something else", async () => {
    const old = encodeProfiles("1.4", {
      resourceProfiles: [
        { scopeProfiles: [{ profiles: [{ stringTable: ["", "cpu"], functionTable: [{ nameStrindex: 1 }] }] }] },
      ],
    });
    const { status, body } = await http("/v1development/profiles", old);
    expect([status, decodeAnswer("Status", body).message]).toEqual([
      400,
      expect.stringMatching(/expected OTLP profiles of opentelemetry-proto 1\.10/),
    ]);
    const error = errorOf(await grpc("profiles", old));
    expect([error.code, error.details]).toEqual([Status.INVALID_ARGUMENT, decodeAnswer("Status", body).message]);
  });
});

it("docs/receiving.md names tests that are here", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/receiving.md"), "utf8");
  const [, table] = /## What the OTLP specification asks\n([\s\S]*?)\n## /.exec(page)!;
  const rows = table!.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| ---"));
  const named = rows.slice(1).flatMap((row) =>
    row
      .split("|")
      .slice(2)
      .flatMap((cell) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, name]) => name!)),
  );
  expect(named.length).toBeGreaterThan(25);
  const own = readFileSync(import.meta.filename, "utf8");
  expect(named.filter((name) => !own.includes(`"${name}`))).toEqual([]);
});
