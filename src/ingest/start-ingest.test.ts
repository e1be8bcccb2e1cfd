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
});
