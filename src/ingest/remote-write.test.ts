import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HttpAnswer, httpPost } from "../testing/http-post.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import { encodeWriteV1, encodeWriteV2, labelsOf, snappied } from "../testing/remote-write-sample.ts";
import { type Ingest, startIngest } from "./start-ingest.ts";

/* The receivers' part of https://prometheus.io/docs/specs/prw/remote_write_spec/ and its 2.0. */

const MS = 1_790_000_000_000;
const sink = new RecordingSink();
let dir: string;
let ingest: Ingest;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "longpole-write-"));
  const listen = { http: { host: "127.0.0.1", port: 0 } };
  ingest = await startIngest({ listen, walDir: dir, sink, limits: { minFreeBytes: 0 }, log: () => {} });
});
afterAll(async () => {
  await ingest.stop();
  rmSync(dir, { recursive: true, force: true });
});

const V2_TYPE = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
const write = (body: Uint8Array, contentType: string, headers: Record<string, string> = {}): Promise<HttpAnswer> =>
  httpPost(ingest.ports.http!, "/api/v1/write", body, {
    "content-type": contentType,
    "content-encoding": "snappy",
    ...headers,
  });
const counts = ({ status, headers }: HttpAnswer): unknown[] => [
  status,
  ...["samples", "histograms", "exemplars"].map((what) => headers[`x-prometheus-remote-write-${what}-written`]),
];

const one = { labels: labelsOf("up"), samples: [{ value: 1, timestamp: MS }] };
const nameless = { labels: [{ name: "job", value: "x" }], samples: [{ value: 1, timestamp: MS }] };
const symbols = ["", "__name__", "up", "le"];

describe("remote-write", () => {
  it.each(["application/x-protobuf", "application/x-protobuf;proto=prometheus.WriteRequest"])(
    "takes 1.0 as %s",
    async (type) => {
      expect(counts(await write(snappied(encodeWriteV1({ timeseries: [one, one] })), type))).toEqual([
        204,
        "2",
        "0",
        "0",
      ]);
    },
  );

  it("takes 2.0 and MUST tell what was written", async () => {
    const histogram = { countInt: 0, sum: 0, schema: 0, timestamp: MS };
    const timeseries = [
      { labelsRefs: [1, 2], samples: [{ value: 1, timestamp: MS }] },
      { labelsRefs: [1, 2], histograms: [histogram] },
    ];
    expect(counts(await write(snappied(encodeWriteV2({ symbols, timeseries })), V2_TYPE))).toEqual([
      204,
      "1",
      "1",
      "0",
    ]);
    await ingest.flush();
    expect(ingest.ledger().signals.metrics).toMatchObject({ inWal: 0, dropped: {} });
  });

  it("takes samples out of order", async () => {
    const samples = [3, 1, 2].map((second) => ({ value: second, timestamp: MS + 1000 * second }));
    const body = snappied(encodeWriteV1({ timeseries: [{ ...one, samples }] }));
    expect(counts(await write(body, "application/x-protobuf"))).toEqual([204, "3", "0", "0"]);
  });

  it("MUST answer 400 where a part is invalid, writes the rest and tells how much that is", async () => {
    const answer = await write(snappied(encodeWriteV1({ timeseries: [one, nameless, one] })), "application/x-protobuf");
    expect(counts(answer)).toEqual([400, "2", "0", "0"]);
    expect(answer.body.toString()).toMatch(/^1 points rejected: 1 point-malformed; .* found no __name__\n$/);
  });

  it.each([
    ["what is not Snappy", Buffer.from([4, 60]), "application/x-protobuf", {}, 400],
    ["what is not protobuf", snappied(Uint8Array.from([0x0a, 0x05, 0x0a])), "application/x-protobuf", {}, 400],
    [
      "an unknown message",
      snappied(new Uint8Array(0)),
      "application/x-protobuf;proto=io.prometheus.write.v9.Request",
      {},
      415,
    ],
    ["another type", snappied(new Uint8Array(0)), "application/json", {}, 415],
    ["another compression", new Uint8Array(0), "application/x-protobuf", { "content-encoding": "gzip" }, 415],
    // 30 MB by its own word
    ["too much after decompression", Buffer.from([0x80, 0x87, 0xa7, 0x0e]), "application/x-protobuf", {}, 413],
  ])("refuses %s", async (_, body, type, headers, status) => {
    expect((await write(body, type, headers)).status).toBe(status);
  });

  it("takes an empty request", async () => {
    expect((await write(snappied(new Uint8Array(0)), "application/x-protobuf")).status).toBe(204);
  });
});
