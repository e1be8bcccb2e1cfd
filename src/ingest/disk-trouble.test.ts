import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FileCalls, FaultyFiles, fileError } from "../testing/faulty-files.ts";
import { type HttpAnswer, httpPost } from "../testing/http-post.ts";
import { encodeRequest, type SampleRequest, sampleRequests } from "../testing/otlp-sample.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import type { IngestLimits } from "./limits.ts";
import { type Ingest, startIngest } from "./start-ingest.ts";
import { DISK } from "./wal/wal-files.ts";

let dir: string;
let sink: RecordingSink;
let files: FaultyFiles;
let running: Ingest[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "longpole-disk-"));
  sink = new RecordingSink();
  files = new FaultyFiles(DISK);
  running = [];
});
afterEach(async () => {
  files.before = () => {};
  await Promise.all(running.map((ingest) => ingest.stop()));
  rmSync(dir, { recursive: true, force: true });
});

async function start(limits: Partial<IngestLimits> = {}): Promise<Ingest> {
  const ingest = await startIngest({
    listen: { http: { host: "127.0.0.1", port: 0 } },
    walDir: dir,
    sink,
    files,
    limits: { minFreeBytes: 0, stopMs: 200, diskPauseMs: 20, ...limits },
    log: () => {},
  });
  running.push(ingest);
  return ingest;
}

/** Requests of 100 spans each, and the ids of these. */
function requests(count: number, seed: number): { body: Uint8Array; ids: string[] }[] {
  return sampleRequests(count, seed).map((request) => ({ body: encodeRequest(request), ids: idsOf(request) }));
}
const idsOf = (request: SampleRequest): string[] =>
  request.resourceSpans.flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map(({ spanId }) => Buffer.from(spanId).toString("hex"))),
  );

const post = (ingest: Ingest, body: Uint8Array): Promise<HttpAnswer> =>
  httpPost(ingest.ports.http!, "/v1/traces", body);
const failing =
  (call: keyof FileCalls, code: "ENOSPC" | "EIO") =>
  (made: keyof FileCalls): void => {
    if (made === call) throw fileError(code);
  };
const ended = (pauseMs = 40): Promise<void> => new Promise((resolve) => setTimeout(resolve, pauseMs));

describe("a disk in trouble", () => {
  it("is not told as success: nothing is acknowledged before it is synced", async () => {
    const ingest = await start();
    let release = (): void => {};
    let waits = false;
    const held = new Promise<void>((resolve) => (release = resolve));
    files.before = async (call) => {
      if (call !== "sync") return;
      waits = true;
      await held;
    };
    let answered = false;
    const answer = post(ingest, requests(1, 1)[0]!.body).then((got) => {
      answered = true;
      return got;
    });
    while (!waits) await ended(5);
    await ended(50);
    expect(answered).toBe(false);
    expect(ingest.ledger().signals.traces.received).toBe(0);
    release();
    expect((await answer).status).toBe(200);
  });

  it.each([
    ["write", "ENOSPC"],
    ["write", "EIO"],
    ["sync", "EIO"],
    ["create", "ENOSPC"],
    ["syncFolder", "EIO"],
  ] as const)("makes 503 of a failing %s (%s), and goes on when it works again", async (call, code) => {
    const ingest = await start();
    const [first, second, third, fourth] = requests(4, 2);
    // `create` and `syncFolder` are asked for with a new segment: it is the first.
    if (call === "write" || call === "sync") expect((await post(ingest, first!.body)).status).toBe(200);
    files.before = failing(call, code);
    const refused = await Promise.all([post(ingest, second!.body), post(ingest, third!.body)]);
    expect(refused.map(({ status, headers }) => [status, headers["retry-after"]])).toEqual([
      [503, "5"],
      [503, "5"],
    ]);
    files.before = () => {};
    await ended();
    expect((await post(ingest, fourth!.body)).status).toBe(200);
    await ingest.flush();
    const kept = call === "write" || call === "sync" ? [...first!.ids, ...fourth!.ids] : fourth!.ids;
    expect(sink.spanIds().toSorted()).toEqual(kept.toSorted());
    expect(ingest.ledger().signals.traces).toMatchObject({ received: kept.length, stored: kept.length, inWal: 0 });
    expect(ingest.ledger().requests).toMatchObject({ [code === "ENOSPC" ? "disk-full" : "disk-failing"]: 2 });
  });

  it("does not bring back after a restart what it refused, not even when the cut failed", async () => {
    const ingest = await start({ blockAgeMs: 60_000 });
    const [first, second, third] = requests(3, 3);
    expect((await post(ingest, first!.body)).status).toBe(200);
    files.before = (call) => {
      // Written, and not synced; then it cannot be cut off either.
      if (call === "sync" || call === "truncate") throw fileError("EIO");
    };
    expect((await post(ingest, second!.body)).status).toBe(503);
    files.before = () => {};
    await ended();
    expect((await post(ingest, third!.body)).status).toBe(200);
    sink.before = () => {
      throw new Error("the store is away");
    };
    await ingest.stop();
    sink.before = () => {};
    const again = await start();
    await again.flush();
    expect(sink.spanIds().toSorted()).toEqual([...first!.ids, ...third!.ids].toSorted());
    expect(again.ledger().signals.traces).toEqual({ received: 200, stored: 200, rejected: {}, dropped: {}, inWal: 0 });
  });

  it("refuses before the disk is full, and goes on by itself when there is room", async () => {
    files.free = 1000;
    const ingest = await start({ minFreeBytes: 500_000 });
    await ended(60);
    const { status, headers, body } = await post(ingest, requests(1, 4)[0]!.body);
    expect([status, headers["retry-after"]]).toEqual([503, "5"]);
    expect(body.toString()).toContain("1000 bytes are free where 500000 shall stay free");
    files.free = 10_000_000;
    await ended(60);
    expect((await post(ingest, requests(1, 4)[0]!.body)).status).toBe(200);
  });

  it("refuses beyond the budget of the log while the store is away, and takes again when it is back", async () => {
    sink.before = () => {
      throw new Error("the store is away");
    };
    const ingest = await start({ walBytes: 400_000, segmentBytes: 100_000, blockRows: 100, blocksInMemory: 1 });
    const sent = requests(20, 5);
    const statuses: number[] = [];
    for (const { body } of sent) statuses.push((await post(ingest, body)).status);
    const taken = statuses.filter((status) => status === 200).length;
    expect(taken).toBeGreaterThan(4);
    expect(statuses.slice(taken)).toEqual(Array.from({ length: 20 - taken }, () => 503));
    sink.before = () => {};
    await ingest.flush();
    const kept = sent.slice(0, taken).flatMap(({ ids }) => ids);
    expect(sink.spanIds().toSorted()).toEqual(kept.toSorted());
    expect((await post(ingest, requests(1, 6)[0]!.body)).status).toBe(200);
  });

  it("keeps what is whole when a segment is damaged, starts, and counts what is lost", async () => {
    sink.before = () => {
      throw new Error("the store is away");
    };
    const ingest = await start({ stopMs: 20, blockAgeMs: 60_000 });
    const sent = requests(5, 7);
    for (const { body } of sent) expect((await post(ingest, body)).status).toBe(200);
    await ingest.stop();
    const [segment] = readdirSync(dir).toSorted();
    const path = join(dir, segment!);
    const bytes = readFileSync(path);
    // A byte in the body of the third request.
    bytes[bytes.indexOf(Buffer.from(sent[2]!.body)) + 1000]! ^= 0x10;
    writeFileSync(path, bytes);
    sink.before = () => {};
    const again = await start();
    await again.flush();
    const kept = sent.filter((_, i) => i !== 2).flatMap(({ ids }) => ids);
    expect(sink.spanIds().toSorted()).toEqual(kept.toSorted());
    expect(again.ledger().signals.traces).toEqual({
      received: 500,
      stored: 400,
      rejected: {},
      dropped: { "wal-damaged": 100 },
      inWal: 0,
    });
    expect(again.metricsText()).toContain("longpole_ingest_wal_damaged_places 1\n");
  });
});
