import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FaultyFiles, fileError } from "../../testing/faulty-files.ts";
import { httpPost } from "../../testing/http-post.ts";
import { RecordingSink } from "../../testing/recording-sink.ts";
import { type Ingest, startIngest } from "../start-ingest.ts";
import { DISK } from "./wal-files.ts";

/* Segments that are made ahead: files of zeros, whose place records take one by one. */

const SEGMENT_BYTES = 20_000;
let dir: string;
let files: FaultyFiles;
let running: Ingest[];
let sent = 0;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "longpole-reserved-"));
  files = new FaultyFiles(DISK);
  running = [];
});
afterEach(async () => {
  files.before = () => {};
  await Promise.all(running.map((ingest) => ingest.stop()));
  rmSync(dir, { recursive: true, force: true });
});

const wal = (): string => join(dir, "wal");

/** Of a store that is away, so that all stays in the log, if no other is given. */
async function start(walDir = wal(), sink = awaySink()): Promise<Ingest> {
  const ingest = await startIngest({
    listen: { http: { host: "127.0.0.1", port: 0 } },
    walDir,
    sink,
    files,
    limits: { minFreeBytes: 0, stopMs: 5, diskPauseMs: 20, blockAgeMs: 60_000, segmentBytes: SEGMENT_BYTES },
    log: () => {},
  });
  running.push(ingest);
  return ingest;
}

function awaySink(): RecordingSink {
  const sink = new RecordingSink();
  sink.before = () => Promise.reject(new Error("the store is away"));
  return sink;
}

/** Sends one span with an id that no other has; gives the id and the status of the answer. */
async function send(ingest: Ingest): Promise<{ id: string; status: number }> {
  const id = (++sent).toString(16).padStart(16, "0");
  const span = {
    traceId: id + id,
    spanId: id,
    startTimeUnixNano: "1790000000000000000",
    endTimeUnixNano: "1790000000000000001",
  };
  const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  const { status } = await httpPost(ingest.ports.http!, "/v1/traces", body, { "content-type": "application/json" });
  return { id, status };
}

async function sendMany(ingest: Ingest, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    const { id, status } = await send(ingest);
    expect(status).toBe(200);
    ids.push(id);
  }
  return ids;
}

const reserved = (ingest: Ingest): number =>
  Number(/^longpole_ingest_wal_reserved_bytes (\d+)$/m.exec(ingest.metricsText())![1]);

const paths = (folder: string): string[] =>
  readdirSync(folder)
    .toSorted()
    .map((name) => join(folder, name));

/** Bytes of a file before the zeros with which it ends. */
const written = (path: string): number => readFileSync(path).findLastIndex((byte) => byte !== 0) + 1;

/** Sends until the segment that is written to was made ahead, holds records, and zeros behind them. */
async function intoReserved(ingest: Ingest): Promise<string[]> {
  const ids = await sendMany(ingest, 6);
  while (!paths(wal()).some((path) => statSync(path).size === SEGMENT_BYTES && written(path) > 500)) {
    ids.push(...(await sendMany(ingest, 1)));
    await sleep(2);
  }
  return ids;
}

/** What a start on a copy of the log brings to the store: as after a kill -9, which leaves files as they are. */
async function afterKill(change: (path: string) => void = () => {}): Promise<{ ids: string[]; places: number }> {
  const copy = join(dir, "copy");
  rmSync(copy, { recursive: true, force: true });
  cpSync(wal(), copy, { recursive: true });
  // The newest that holds records.
  change(paths(copy).findLast((path) => written(path) > 0)!);
  const sink = new RecordingSink();
  const ingest = await start(copy, sink);
  await ingest.flush();
  const places = Number(/^longpole_ingest_wal_damaged_places (\d+)$/m.exec(ingest.metricsText())![1]);
  const { received, stored, inWal } = ingest.ledger().signals.traces;
  expect({ received, inWal }).toEqual({ received: stored, inWal: 0 });
  await ingest.stop();
  return { ids: sink.spanIds().toSorted(), places };
}

describe("a segment made ahead", () => {
  it("is used, and what it held is there after a kill; its zeros are no damage", async () => {
    const ingest = await start();
    const ids = await intoReserved(ingest);
    expect(reserved(ingest)).toBeGreaterThan(0);
    expect(await afterKill()).toEqual({ ids: ids.toSorted(), places: 0 });
  });

  it("has no zeros left after a stop, and no file that was not used", async () => {
    const ingest = await start();
    await intoReserved(ingest);
    await ingest.stop();
    for (const path of paths(wal())) expect([path, written(path)]).toEqual([path, statSync(path).size]);
    expect(reserved(ingest)).toBe(0);
  });

  it("loses nothing by a cut or another byte in its zeros; the byte is counted", async () => {
    const ingest = await start();
    const ids = (await intoReserved(ingest)).toSorted();
    const places: number[] = [];
    for (const at of [0, 1, 39, 40, 41, 500, 4096, 10_000]) {
      const cut = await afterKill((path) =>
        truncateSync(path, written(path) + Math.min(at, SEGMENT_BYTES - written(path))),
      );
      expect({ at, ...cut }).toEqual({ at, ids, places: 0 });
      const flipped = await afterKill((path) => {
        const bytes = readFileSync(path);
        const to = Math.min(written(path) + at, bytes.length - 1);
        bytes[to]! ^= 1 << (at % 8);
        writeFileSync(path, bytes);
      });
      expect({ at, ids: flipped.ids }).toEqual({ at, ids });
      places.push(flipped.places);
    }
    expect(places).toEqual(places.map(() => 1));
  });

  it("that a machine without power left torn loses what was not acknowledged alone", async () => {
    const ingest = await start();
    const ids = await intoReserved(ingest);
    // Of a further record only the second half came to the disk.
    const torn = await afterKill((path) => {
      const bytes = readFileSync(path);
      bytes.fill(0x5a, written(path) + 200, written(path) + 300);
      writeFileSync(path, bytes);
    });
    expect(torn).toEqual({ ids: ids.toSorted(), places: 1 });
  });

  it("can fail to be made: requests are acknowledged all the same", async () => {
    const ingest = await start();
    const ids = await sendMany(ingest, 1);
    let created = 0;
    files.before = (call) => {
      // The first segment is there. What is made next is the one ahead, and after it, as there is none, one that grows.
      if (call === "create" && ++created % 2 === 1) throw fileError("ENOSPC");
    };
    ids.push(...(await sendMany(ingest, 80)));
    expect(created).toBeGreaterThan(2);
    expect(reserved(ingest)).toBe(0);
    files.before = () => {};
    expect(await afterKill()).toEqual({ ids: ids.toSorted(), places: 0 });
  });

  it("does not bring back what was refused in it, not even when the cut failed", async () => {
    const ingest = await start();
    const ids = await intoReserved(ingest);
    files.before = (call) => {
      if (call === "sync" || call === "truncate") throw fileError("EIO");
    };
    expect((await send(ingest)).status).toBe(503);
    files.before = () => {};
    await sleep(40);
    ids.push(...(await sendMany(ingest, 2)));
    expect((await afterKill()).ids).toEqual(ids.toSorted());
  });
});
