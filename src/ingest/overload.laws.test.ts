import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FaultyFiles } from "../testing/faulty-files.ts";
import { httpPost } from "../testing/http-post.ts";
import { usually } from "../testing/long-tests.ts";
import { PROTOBUF, spans } from "../testing/otlp-bodies.ts";
import { type Ingest, startIngest } from "./start-ingest.ts";
import { DISK } from "./wal/wal-files.ts";

/*
 * Ten times as much as can be taken, for a while: a disk that takes 100 ms and four requests at a time are a
 * capacity far below what this process can send, whatever else the machine does.
 */

const AT_A_TIME = 4;
const SYNC_MS = 100;
const CAPACITY_MS = usually(2000, 10_000);
const OVERLOAD_MS = usually(3000, 120_000);
const MEMORY_BYTES = 64 * 2 ** 20;
const PER_REQUEST = 100;

let dir: string;
let ingest: Ingest;
let stored = 0;

beforeEach(async () => {
  stored = 0;
  dir = mkdtempSync(join(tmpdir(), "longpole-overload-"));
  const files = new FaultyFiles(DISK);
  files.before = async (call) => {
    if (call === "sync") await sleep(SYNC_MS);
  };
  ingest = await startIngest({
    listen: { http: { host: "127.0.0.1", port: 0 } },
    walDir: dir,
    files,
    sink: {
      insertSpans: async ({ rowCount }) => void (stored += rowCount),
      insertMetrics: () => Promise.resolve(),
      insertStacks: () => Promise.resolve(),
    },
    limits: { minFreeBytes: 0, inFlightRequests: AT_A_TIME },
    log: () => {},
  });
});
afterEach(async () => {
  await ingest.stop();
  rmSync(dir, { recursive: true, force: true });
});

it(
  "of ten times the capacity leaves 80 % of it, refuses the rest in protocol, holds its memory, and is over at once",
  // It measures rates: what else runs may take one attempt's time away.
  { timeout: 300_000, retry: 2 },
  async () => {
    const body = spans();
    const answers = new Map<string, number>();
    const post = async (): Promise<void> => {
      const { status, headers } = await httpPost(ingest.ports.http!, "/v1/traces", body, PROTOBUF);
      const answer = `${status} ${String(headers["retry-after"] ?? "-")}`;
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    };
    const taken = (): number => answers.get("200 -") ?? 0;

    const capacityEndMs = performance.now() + CAPACITY_MS;
    const sender = async (): Promise<void> => {
      while (performance.now() < capacityEndMs) await post();
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, sender));
    const perMs = taken() / CAPACITY_MS;
    const inQuiet = taken();

    const before = process.memoryUsage().arrayBuffers;
    let most = before;
    const startMs = performance.now();
    const sent: Promise<void>[] = [];
    for (let passedMs = 0; passedMs < OVERLOAD_MS; passedMs = performance.now() - startMs) {
      while (sent.length < 10 * perMs * passedMs) sent.push(post());
      most = Math.max(most, process.memoryUsage().arrayBuffers);
      await sleep(5);
    }
    const goodPerMs = (taken() - inQuiet) / (performance.now() - startMs);
    await Promise.all(sent);

    expect(goodPerMs / perMs).toBeGreaterThan(0.8);
    expect([...answers.keys()].sort()).toEqual(["200 -", "429 1"]);
    expect(answers.get("429 1")! / sent.length).toBeGreaterThan(0.8);
    expect(most - before).toBeLessThan(MEMORY_BYTES);
    const after = await httpPost(ingest.ports.http!, "/v1/traces", body, PROTOBUF);
    expect(after.status).toBe(200);
    await ingest.flush();
    expect(stored).toBe(PER_REQUEST * (taken() + 1));
    const { requests, signals } = ingest.ledger();
    expect(requests).toEqual({ taken: taken() + 1, overloaded: answers.get("429 1") });
    expect(signals.traces).toMatchObject({ received: stored, stored, inWal: 0 });
  },
);
