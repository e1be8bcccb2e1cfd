import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { httpPost } from "../../testing/http-post.ts";
import { usually } from "../../testing/long-tests.ts";
import { RecordingSink } from "../../testing/recording-sink.ts";
import { type Ingest, startIngest } from "../start-ingest.ts";
import { readSegment, listSegments } from "./segment.ts";
import { RecordKind } from "./record.ts";

/* A log of three requests whose tail is cut or changed at every byte; each time ingest starts and keeps the rest. */

const REQUESTS = 3;
const STEP = usually(7, 1);
let folder: string;
let original: string;
/** where the records of requests begin and end */
const places: { start: number; end: number }[] = [];

async function start(walDir: string, sink: RecordingSink, log: (text: string) => void = () => {}): Promise<Ingest> {
  const listen = { http: { host: "127.0.0.1", port: 0 } };
  const limits = { minFreeBytes: 0, blockAgeMs: 60_000, stopMs: 5 };
  return startIngest({ listen, walDir, sink, limits, log });
}

const idOf = (request: number): string => `eee19b7ec3c1b17${request}`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpole-damage-"));
  original = join(folder, "original");
  const sink = new RecordingSink();
  sink.before = () => Promise.reject(new Error("the store is away"));
  const ingest = await start(original, sink);
  for (let i = 0; i < REQUESTS; i++) {
    const span = {
      traceId: "5b8efff798038103d269b633813fc60c",
      spanId: idOf(i),
      startTimeUnixNano: "1790000000000000000",
      endTimeUnixNano: "1790000000000000001",
    };
    const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
    await httpPost(ingest.ports.http!, "/v1/traces", body, { "content-type": "application/json" });
  }
  await ingest.stop();
  const [segment] = listSegments(original);
  readSegment(segment!, 0, ({ kind, meta, body }, start) => {
    if (kind === RecordKind.data) places.push({ start, end: start + 40 + meta.length + body.length });
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Starts on a copy of the log with a changed segment; gives the ids that came to the store and the counts. */
async function after(change: (bytes: Buffer) => Buffer): Promise<{ ids: string[]; dropped: number; received: number }> {
  const copy = join(folder, "copy");
  rmSync(copy, { recursive: true, force: true });
  cpSync(original, copy, { recursive: true });
  const path = join(copy, readdirSync(copy)[0]!);
  writeFileSync(path, change(readFileSync(path)));
  const sink = new RecordingSink();
  const ingest = await start(copy, sink);
  await ingest.flush();
  const { received, stored, dropped, inWal } = ingest.ledger().signals.traces;
  await ingest.stop();
  const lost = dropped["wal-damaged"] ?? 0;
  expect({ received, inWal }).toEqual({ received: stored + lost, inWal: 0 });
  expect(stored).toBe(sink.spanIds().length);
  return { ids: sink.spanIds(), dropped: lost, received };
}

const idsBut = (lost: number): string[] =>
  Array.from({ length: REQUESTS }, (_, i) => idOf(i)).filter((_, i) => i !== lost);

it(
  "keeps every other request, and counts the lost one, whichever byte of the requests is changed",
  { timeout: 300_000 },
  async () => {
    for (let at = places[0]!.start; at < places.at(-1)!.end; at += STEP) {
      const hit = places.findIndex(({ end }) => at < end);
      const { ids, dropped } = await after((bytes) => {
        bytes[at]! ^= 1 << (at % 8);
        return bytes;
      });
      // What stands behind the requests, the record of their block and the last counts, tells how many there were.
      expect({ at, ids, dropped }).toEqual({ at, ids: idsBut(hit), dropped: 1 });
    }
  },
);

it("keeps the requests that are whole, wherever the log is cut", { timeout: 300_000 }, async () => {
  for (let size = places[0]!.start; size <= places.at(-1)!.end; size += STEP) {
    const whole = places.filter(({ end }) => end <= size).length;
    const { ids, received } = await after((bytes) => bytes.subarray(0, size));
    expect({ size, ids, received }).toEqual({ size, ids: idsBut(-1).slice(0, whole), received: whole });
  }
});

it("starts where a segment is empty, or holds nothing that can be read", async () => {
  expect((await after(() => Buffer.alloc(0))).ids).toEqual([]);
  expect((await after((bytes) => Buffer.alloc(bytes.length, 0xa5))).ids).toEqual([]);
});
