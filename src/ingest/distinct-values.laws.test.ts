import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { httpPost } from "../testing/http-post.ts";
import { usually } from "../testing/long-tests.ts";
import { PROTOBUF } from "../testing/otlp-bodies.ts";
import { encodeRequest } from "../testing/otlp-sample.ts";
import { encodeWriteV1, labelsOf, snappied } from "../testing/remote-write-sample.ts";
import { type Ingest, startIngest } from "./start-ingest.ts";

/* Values and series of which each comes once, a million of each in the long form: all are kept, and none is held. */

const VALUES = usually(250_000, 1_000_000);
const SERIES = usually(100_000, 1_000_000);
const PER_REQUEST = 2000;
/** Two blocks of 131,072 rows in work and one that is open, and what a request takes. */
const MEMORY_BYTES = 256 * 2 ** 20;

let dir: string;
let ingest: Ingest;
let most = 0;
let stored = 0;
/** texts of the largest table */
let texts = 0;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "longpole-distinct-"));
  most = stored = texts = 0;
  const note = async (rows: number, size: number): Promise<void> => {
    stored += rows;
    texts = Math.max(texts, size);
    most = Math.max(most, process.memoryUsage().arrayBuffers);
  };
  ingest = await startIngest({
    listen: { http: { host: "127.0.0.1", port: 0 } },
    walDir: dir,
    sink: {
      insertSpans: ({ rowCount, strings }) => note(rowCount, strings.size),
      insertMetrics: ({ points, strings }) => note(points.rowCount, strings.size),
      insertStacks: () => Promise.resolve(),
    },
    limits: { minFreeBytes: 0 },
    log: () => {},
  });
});
afterEach(async () => {
  await ingest.stop();
  rmSync(dir, { recursive: true, force: true });
});

it(`${VALUES} values of an attribute, each of one span`, { timeout: 300_000 }, async () => {
  const before = process.memoryUsage().arrayBuffers;
  for (let from = 0; from < VALUES; from += PER_REQUEST) {
    const spans = Array.from({ length: PER_REQUEST }, (_, i) => ({
      traceId: Buffer.from((from + i + 1).toString(16).padStart(32, "0"), "hex"),
      spanId: Buffer.from((from + i + 1).toString(16).padStart(16, "0"), "hex"),
      name: "GET /",
      startTimeUnixNano: "1790000000000000000",
      endTimeUnixNano: "1790000000000000001",
      attributes: [{ key: "user.id", value: { stringValue: `user-${from + i}` } }],
    }));
    const body = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
    expect((await httpPost(ingest.ports.http!, "/v1/traces", body, PROTOBUF)).status).toBe(200);
  }
  await ingest.flush();
  expect(stored).toBe(VALUES);
  // A block takes over what the one before knew up to 200,000 texts, and has 131,072 and one request more of its own.
  expect(texts).toBeLessThan(200_000 + 131_072 + 2 * PER_REQUEST);
  expect(most - before).toBeLessThan(MEMORY_BYTES);
});

it(`${SERIES} series, each of one sample`, { timeout: 300_000 }, async () => {
  const before = process.memoryUsage().arrayBuffers;
  for (let from = 0; from < SERIES; from += PER_REQUEST) {
    const timeseries = Array.from({ length: PER_REQUEST }, (_, i) => ({
      labels: labelsOf("up", { job: "shop", pod: `shop-${from + i}` }),
      samples: [{ value: 1, timestamp: 1_790_000_000_000 }],
    }));
    const body = snappied(encodeWriteV1({ timeseries }));
    const headers = { ...PROTOBUF, "content-encoding": "snappy" };
    expect((await httpPost(ingest.ports.http!, "/api/v1/write", body, headers)).status).toBe(204);
  }
  await ingest.flush();
  expect(stored).toBe(SERIES);
  expect(texts).toBeLessThan(200_000 + 131_072 + 2 * PER_REQUEST);
  expect(most - before).toBeLessThan(MEMORY_BYTES);
});
