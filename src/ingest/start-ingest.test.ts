import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type HttpAnswer, httpPost } from "../testing/http-post.ts";
import { encodeRequest, sampleRequests } from "../testing/otlp-sample.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import type { IngestLimits } from "./limits.ts";
import { type Ingest, startIngest } from "./start-ingest.ts";

let dir: string;
let sink: RecordingSink;
let running: Ingest[];
let logged: string[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "longpole-ingest-"));
  sink = new RecordingSink();
  running = [];
  logged = [];
});
afterEach(async () => {
  await Promise.all(running.map((ingest) => ingest.stop()));
  rmSync(dir, { recursive: true, force: true });
});

async function start(limits: Partial<IngestLimits> = {}): Promise<Ingest> {
  const ingest = await startIngest({
    listen: { http: { host: "127.0.0.1", port: 0 } },
    walDir: dir,
    sink,
    limits: { minFreeBytes: 0, ...limits },
    log: (text) => logged.push(text),
  });
  running.push(ingest);
  return ingest;
}

const post = (ingest: Ingest, path: string, body: Uint8Array, headers?: Record<string, string>): Promise<HttpAnswer> =>
  httpPost(ingest.ports.http!, path, body, headers);

/** received = stored + rejected + dropped + inWal, of every signal. */
function expectBalanced(ingest: Ingest): void {
  for (const [signal, counts] of Object.entries(ingest.ledger().signals)) {
    const sum = (reasons: Record<string, number>): number => Object.values(reasons).reduce((a, b) => a + b, 0);
    const { received, stored, rejected, dropped, inWal } = counts;
    expect({ signal, received }).toEqual({ signal, received: stored + sum(rejected) + sum(dropped) + inWal });
  }
}

describe("startIngest", () => {
  it("stores what it acknowledged, whatever the compression", async () => {
    const ingest = await start();
    const bodies = sampleRequests(4, 1).map(encodeRequest);
    const type = "application/x-protobuf";
    const answers = await Promise.all([
      post(ingest, "/v1/traces", bodies[0]!),
      post(ingest, "/v1/traces", gzipSync(bodies[1]!), { "content-type": type, "content-encoding": "gzip" }),
      post(ingest, "/v1/traces", deflateSync(bodies[2]!), { "content-type": type, "content-encoding": "deflate" }),
      post(ingest, "/v1/traces", gzipSync(bodies[3]!), { "content-type": type, "content-encoding": "X-GZIP" }),
    ]);
    expect(answers.map(({ status, body }) => [status, body.length])).toEqual(answers.map(() => [200, 0]));
    expect(ingest.ledger().signals.traces).toMatchObject({ received: 400, rejected: {} });
    await ingest.flush();
    expect(new Set(sink.spanIds()).size).toBe(400);
    expect(ingest.ledger().signals.traces).toEqual({ received: 400, stored: 400, rejected: {}, dropped: {}, inWal: 0 });
    expect(ingest.metricsText()).toContain('longpole_ingest_stored_total{signal="traces"} 400\n');
    // Each request is decoded and answered once; groups are written and synced, how many depends on when they came.
    for (const phase of ["decode", "wait", "acknowledge"])
      expect(ingest.metricsText()).toContain(`longpole_ingest_phase_seconds_count{phase="${phase}"} 4\n`);
    for (const phase of ["write", "sync"])
      expect(ingest.metricsText()).toMatch(
        new RegExp(`longpole_ingest_phase_seconds_count\\{phase="${phase}"\\} [1-9]`),
      );
  });

  it("stores after a restart what the store had not taken before, once, and goes on counting", async () => {
    sink.before = () => {
      throw new Error("the store is away");
    };
    const first = await start({ stopMs: 50 });
    const bodies = sampleRequests(3, 2).map(encodeRequest);
    for (const body of bodies) expect((await post(first, "/v1/traces", body)).status).toBe(200);
    await first.stop();
    expect(first.ledger().signals.traces).toMatchObject({ received: 300, stored: 0, inWal: 300 });
    sink.before = () => {};
    const second = await start();
    await second.flush();
    expect(new Set(sink.spanIds()).size).toBe(300);
    expect(sink.spanIds()).toHaveLength(300);
    expect(second.ledger().signals.traces).toEqual({ received: 300, stored: 300, rejected: {}, dropped: {}, inWal: 0 });
    expectBalanced(second);
  });

  it("removes segments of the log when the store has their content", async () => {
    const ingest = await start({ segmentBytes: 100_000, blockRows: 100 });
    for (const body of sampleRequests(12, 3).map(encodeRequest)) await post(ingest, "/v1/traces", body);
    await ingest.flush();
    // The next block's trim sees what the last one left.
    await post(ingest, "/v1/traces", encodeRequest(sampleRequests(1, 4)[0]!));
    await ingest.flush();
    expect(ingest.ledger().signals.traces.stored).toBe(1300);
    expect(readdirSync(dir).length).toBeLessThanOrEqual(2);
  });

  it("flushes what was acknowledged before, also while more comes all the time", async () => {
    const ingest = await start({ blockAgeMs: 20 });
    let isOver = false;
    const bodies = sampleRequests(30, 5).map(encodeRequest);
    await post(ingest, "/v1/traces", bodies[0]!);
    const stream = (async () => {
      for (let i = 1; !isOver; i = (i + 1) % bodies.length) await post(ingest, "/v1/traces", bodies[i]!);
    })();
    await ingest.flush();
    expect(ingest.ledger().signals.traces.stored).toBeGreaterThanOrEqual(100);
    isOver = true;
    await stream;
  });

  it("lets no second process write to the same log", async () => {
    const first = await start();
    await expect(start()).rejects.toThrow(`another process writes to the log in ${dir}`);
    await first.stop();
    await start();
  });

  it("reads blocks whole from the log while older segments are removed", async () => {
    // The store is away until all are sent, one by one: blocks lie across segments, and are only there.
    let isBack = (): void => {};
    const back = new Promise<void>((resolve) => (isBack = resolve));
    sink.before = () => back;
    const ingest = await start({ segmentBytes: 60_000, blockRows: 200, blocksInMemory: 0 });
    for (const body of sampleRequests(24, 6).map(encodeRequest)) await post(ingest, "/v1/traces", body);
    isBack();
    await ingest.flush();
    expect(new Set(sink.spanIds()).size).toBe(2400);
    expect(ingest.ledger().signals.traces).toEqual({
      received: 2400,
      stored: 2400,
      rejected: {},
      dropped: {},
      inWal: 0,
    });
  });

  it("rejects what is older than the store keeps, tells the sender, and counts it, also after a restart", async () => {
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    const spans = [0n, 10n, 50n].map((minutes, i) => ({
      traceId: "5b8efff798038103d269b633813fc60c",
      spanId: `eee19b7ec3c1b17${i}`,
      startTimeUnixNano: String(nowNs - minutes * 60_000_000_000n),
      endTimeUnixNano: String(nowNs),
    }));
    const send = (ingest: Ingest, ...list: object[]): Promise<HttpAnswer> =>
      post(ingest, "/v1/traces", Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: list }] }] })), {
        "content-type": "application/json",
      });
    sink.before = () => {
      throw new Error("the store is away");
    };
    const first = await start({ spanAgeMs: 1_800_000, stopMs: 20 });
    const mixed = await send(first, ...spans);
    expect([mixed.status, JSON.parse(mixed.body.toString())]).toEqual([
      200,
      {
        partialSuccess: {
          rejectedSpans: "1",
          errorMessage: expect.stringMatching(
            /^1 spans rejected: 1 older-than-retention; the first: a span that began before /,
          ),
        },
      },
    ]);
    await send(first, spans[2]!);
    await first.stop();
    sink.before = () => {};
    const second = await start({ spanAgeMs: Number.POSITIVE_INFINITY });
    await second.flush();
    const counts = { received: 4, stored: 2, rejected: { "older-than-retention": 2 }, dropped: {}, inWal: 0 };
    expect(second.ledger().signals.traces).toEqual(counts);
  });

  it("takes profiles of the formats of files, compressed as files or not, and says whose they are", async () => {
    const ingest = await start();
    const before = Date.now();
    const folded = Buffer.from("main;work;parse 3\nmain;idle 1\n");
    const answers = [
      await post(ingest, "/api/v1/profiles?service=shop", folded, {}),
      await post(ingest, "/api/v1/profiles?service=shop", gzipSync(folded), {}),
      await post(ingest, "/api/v1/profiles", Buffer.from("not a profile"), {}),
    ];
    expect(answers.map(({ status, body }) => [status, body.toString()])).toEqual([
      [200, "2 samples taken\n"],
      [200, "2 samples taken\n"],
      [400, expect.stringMatching(/^request at byte 0: expected a profile/)],
    ]);
    await ingest.flush();
    const [table] = [...sink.stacks.values()];
    expect([...table!.processes.service].map((id) => table!.strings.get(id))).toEqual(["shop", "shop"]);
    expect(Number(table!.processes.startUnixNs[0]! / 1_000_000n)).toBeGreaterThanOrEqual(before);
    expect(ingest.ledger().signals.profiles).toEqual({ received: 4, stored: 4, rejected: {}, dropped: {}, inWal: 0 });
  });
});
