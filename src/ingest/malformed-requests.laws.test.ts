import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { httpPost } from "../testing/http-post.ts";
import { usually } from "../testing/long-tests.ts";
import { encodeMetrics } from "../testing/otlp-metrics-sample.ts";
import {
  BytesRequestType,
  encodeRequest,
  type SampleRequest,
  sampleRequests,
  seededRandom,
} from "../testing/otlp-sample.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import { encodeWriteV1, labelsOf, snappied } from "../testing/remote-write-sample.ts";
import { type Ingest, startIngest } from "./start-ingest.ts";

/*
 * Damaged requests by the thousand, each with the code that its damage has to be answered with. What is expected
 * follows from how it was damaged, or from another reader: JSON.parse for JSON, protobufjs for protobuf.
 */

const CASES = usually(10_000, 40_000);
const AT_ONCE = 16;
let dir: string;
let ingest: Ingest;
const sink = new RecordingSink();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "longpole-corpus-"));
  const listen = { http: { host: "127.0.0.1", port: 0 } };
  ingest = await startIngest({ listen, walDir: dir, sink, limits: { minFreeBytes: 0 }, log: () => {} });
});
afterAll(async () => {
  await ingest.stop();
  rmSync(dir, { recursive: true, force: true });
});

interface Case {
  readonly what: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
  readonly status: number;
  readonly method?: string;
}

const random = seededRandom(2026);
const below = (n: number): number => Math.floor(random() * n);
const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
const PROTOBUF = { "content-type": "application/x-protobuf" };
const JSON_TYPE = { "content-type": "application/json" };
const SNAPPY = { ...PROTOBUF, "content-encoding": "snappy" };

/** Requests of three spans: small enough that a random byte often hits what matters. */
const small = (request: SampleRequest): SampleRequest => {
  for (const { scopeSpans } of request.resourceSpans) for (const scope of scopeSpans) scope.spans.length = 1;
  return request;
};
const TRACES = sampleRequests(8, 1).map((request) => encodeRequest(small(request)));
const METRICS = [
  encodeMetrics({
    resourceMetrics: [
      {
        scopeMetrics: [
          {
            metrics: [{ name: "queue", gauge: { dataPoints: [{ timeUnixNano: "1790000000000000000", asDouble: 3 }] } }],
          },
        ],
      },
    ],
  }),
];
const WRITES = [
  encodeWriteV1({
    timeseries: [{ labels: labelsOf("up", { job: "x" }), samples: [{ value: 1, timestamp: 1_790_000_000_000 }] }],
  }),
];
const SPAN = {
  traceId: "5b8efff798038103d269b633813fc60c",
  spanId: "eee19b7ec3c1b174",
  name: 'GET "/" \u00e9',
  kind: 2,
  startTimeUnixNano: "1790000000000000000",
  endTimeUnixNano: "1790000000000000000",
  attributes: [
    { key: "n", value: { intValue: "-7" } },
    { key: "d", value: { doubleValue: 1.5e-3 } },
    { key: "b", value: { boolValue: true } },
  ],
};
const JSON_TRACES = JSON.stringify({
  resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ spans: [SPAN] }] }],
});
const ZIPKIN = JSON.stringify([
  {
    traceId: SPAN.traceId,
    id: SPAN.spanId,
    name: "get",
    timestamp: 1_790_000_000_000_000,
    duration: 5,
    tags: { a: "b" },
  },
]);

const flipped = (bytes: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy[below(copy.length)]! ^= 1 << below(8);
  return copy;
};
/** Ends within its only field at the top, whose length then goes beyond the end. */
const cut = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, 1 + below(bytes.length - 1));

/** Field 0, wire types that there are not, a group that only ends, a varint of 11 bytes. */
const NO_PROTOBUF = [
  [0x00],
  [0x06, 0x01],
  [0x0f],
  [0x0c],
  Array.from({ length: 11 }, () => 0xff),
  [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
];

function isProtobuf(bytes: Uint8Array): boolean {
  try {
    BytesRequestType.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(bytes).toString("utf8"));
    return true;
  } catch {
    return false;
  }
}

/** One kind of damage after the other, so that all have the same share. */
const KINDS: (() => Case)[] = [
  () => ({ what: "cut protobuf", path: "/v1/traces", headers: PROTOBUF, body: cut(pick(TRACES)), status: 400 }),
  () => ({ what: "cut metrics", path: "/v1/metrics", headers: PROTOBUF, body: cut(pick(METRICS)), status: 400 }),
  () => ({
    what: "cut remote-write",
    path: "/api/v1/write",
    headers: SNAPPY,
    body: snappied(cut(pick(WRITES))),
    status: 400,
  }),
  () => ({
    what: "cut snappy",
    path: "/api/v1/write",
    headers: SNAPPY,
    body: cut(snappied(pick(WRITES))),
    status: 400,
  }),
  () => {
    const tail = pick(NO_PROTOBUF);
    const path = pick(["/v1/traces", "/v1/metrics", "/v1/logs"]);
    const head = path === "/v1/traces" ? pick(TRACES) : new Uint8Array(0);
    return {
      what: `no protobuf ${tail.join()}`,
      path,
      headers: PROTOBUF,
      body: Buffer.concat([head, Uint8Array.from(tail)]),
      status: 400,
    };
  },
  () => ({
    what: "cut JSON",
    path: "/v1/traces",
    headers: JSON_TYPE,
    body: cut(Buffer.from(JSON_TRACES)),
    status: 400,
  }),
  () => ({
    what: "cut Zipkin",
    path: "/api/v2/spans",
    headers: JSON_TYPE,
    body: cut(Buffer.from(ZIPKIN)),
    status: 400,
  }),
  () => {
    const bytes = Buffer.from(JSON_TRACES);
    bytes[below(bytes.length)] = 0x20 + below(95);
    return {
      what: `changed JSON ${bytes.toString()}`,
      path: "/v1/traces",
      headers: JSON_TYPE,
      body: bytes,
      status: isJson(bytes) ? 200 : 400,
    };
  },
  () => {
    const body = flipped(pick(TRACES));
    return {
      what: `flipped protobuf ${Buffer.from(body).toString("base64")}`,
      path: "/v1/traces",
      headers: PROTOBUF,
      body,
      status: isProtobuf(body) ? 200 : 400,
    };
  },
  () => {
    const zipped = gzipSync(pick(TRACES));
    const body = random() < 0.5 ? zipped.subarray(0, 1 + below(zipped.length - 1)) : flippedBehindHeader(zipped);
    return {
      what: "damaged gzip",
      path: "/v1/traces",
      headers: { ...PROTOBUF, "content-encoding": "gzip" },
      body,
      status: 400,
    };
  },
  () => {
    const [type, body] = pick([
      ["application/json", "[]"],
      ["application/json", "1"],
      ["application/json", '"x"'],
      ["application/json", "null"],
    ] as const);
    return {
      what: `a root that is no object: ${body}`,
      path: "/v1/traces",
      headers: { "content-type": type },
      body: Buffer.from(body),
      status: 400,
    };
  },
  () => {
    const type = pick([
      "text/plain",
      "application/xml",
      "application/jso",
      "",
      "x".repeat(1 + below(200)),
      "application/x-protobuf/x",
    ]);
    return {
      what: `type ${type}`,
      path: "/v1/traces",
      headers: { "content-type": type },
      body: pick(TRACES),
      status: 415,
    };
  },
  () => {
    const encoding = pick([
      "br",
      "compress",
      "gzip, gzip",
      "zip",
      "x".repeat(1 + below(100)),
      "__proto__",
      "constructor",
    ]);
    return {
      what: `encoding ${encoding}`,
      path: "/v1/traces",
      headers: { ...PROTOBUF, "content-encoding": encoding },
      body: pick(TRACES),
      status: 415,
    };
  },
  () => {
    const path = pick([
      "/",
      "/v1",
      "/v1/trace",
      "/v1/traces/",
      "//v1/traces",
      "/v1/../v1/traces",
      "/%76%31/traces",
      "/__proto__",
      "/constructor",
      `/${"a".repeat(below(500))}`,
    ]);
    return { what: `path ${path}`, path, headers: PROTOBUF, body: pick(TRACES), status: 404 };
  },
  () => {
    const method = pick(["PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS"]);
    return {
      what: `method ${method}`,
      path: "/v1/traces",
      headers: PROTOBUF,
      body: new Uint8Array(0),
      status: 405,
      method,
    };
  },
];

/** Flags, time and system in the header are not checked by anybody, and an empty last byte of the size is one bit away. */
function flippedBehindHeader(zipped: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(zipped);
  // The checksum or the size of the content, which every change of the content contradicts as well.
  copy[copy.length - 8 + below(8)]! ^= 1 << below(8);
  return copy;
}

it(
  `answers ${CASES} damaged requests with the code that their damage has, and takes a sound one afterwards`,
  { timeout: 600_000 },
  async () => {
    const wrong: string[] = [];
    for (let i = 0; i < CASES; i += AT_ONCE) {
      const cases = Array.from({ length: AT_ONCE }, (_, j) => KINDS[(i + j) % KINDS.length]!());
      await Promise.all(
        cases.map(async ({ what, path, headers, body, status, method }) => {
          const got = await httpPost(ingest.ports.http!, path, body, headers, method);
          if (got.status !== status)
            wrong.push(`${what}: ${got.status}, not ${status}: ${got.body.toString().slice(0, 200)}`);
        }),
      );
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    expect((await httpPost(ingest.ports.http!, "/v1/traces", TRACES[0]!, PROTOBUF)).status).toBe(200);
    await ingest.flush();
    const { received, stored, rejected, dropped } = ingest.ledger().signals.traces;
    const sum = (reasons: Record<string, number>): number => Object.values(reasons).reduce((a, b) => a + b, 0);
    expect({ received, stored }).toEqual({
      received: stored + sum(rejected) + sum(dropped),
      stored: sink.spanIds().length,
    });
  },
);
