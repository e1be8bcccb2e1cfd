import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SpanTable } from "../src/model/span-table.ts";
import { type Embedded, openEmbedded } from "../src/store/embedded/open-embedded.ts";
import { StoreError } from "../src/store/store-error.ts";
import { usually } from "../src/testing/long-tests.ts";
import { seededRandom } from "../src/testing/otlp-sample.ts";
import { spansFromRows } from "../src/testing/spans-from-rows.ts";

/*
 * What was acknowledged is there, once, whatever happens to the engine. The writer does what ingest does: it sends a
 * block under its token until it is acknowledged.
 */
const BASE = 1_790_000_000_000_000_000n;
const RANGE = { fromUnixNs: BASE - 1_000_000_000n, toUnixNs: BASE + 3_600_000_000_000n };
const SPANS = 500;
const KEEP = { spanDays: 3650, metricDays: 3650 };

let folder = "";
let embedded: Embedded | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "longpole-faults-"));
});

afterEach(async () => {
  await embedded?.close();
  embedded = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** Block `number`: as many traces of one span, none in another block. */
function block(number: number): SpanTable {
  return spansFromRows(
    Array.from({ length: SPANS }, (_, i) => {
      const id = number * SPANS + i + 1;
      return { trace: id, id, parent: 0, startNs: id * 1000, endNs: id * 1000 + 1e6, kind: 2, name: "work" };
    }),
  );
}

async function insertUntilAcknowledged({ store }: Embedded, number: number): Promise<void> {
  for (;;) {
    try {
      await store.insertSpans(block(number), `block ${number}`);
      return;
    } catch (error) {
      if (!(error instanceof StoreError) || error.permanent) throw error;
      await delay(50);
    }
  }
}

async function expectEach({ store }: Embedded, blocks: number): Promise<void> {
  const spans = await store.readSpans(RANGE);
  const ids = new Set(Array.from({ length: spans.rowCount }, (_, row) => spans.traceId[4 * row + 3]!));
  expect(spans.rowCount, "spans, none doubled").toBe(blocks * SPANS);
  expect(ids.size, "spans, none lost").toBe(blocks * SPANS);
  const counts = (await store.red(RANGE)).map(({ count }) => count);
  expect(
    counts.reduce((sum, count) => sum + count, 0),
    "spans in the rollups",
  ).toBe(blocks * SPANS);
  const hours = (await store.red({ ...RANGE, fromUnixNs: BASE - (BASE % 3_600_000_000_000n), stepSeconds: 3600 })).map(
    ({ count }) => count,
  );
  expect(
    hours.reduce((sum, count) => sum + count, 0),
    "spans in the rollups by hour",
  ).toBe(blocks * SPANS);
  const found = await store.searchTraces({ ...RANGE, limit: 1000 });
  expect(new Set(found.map(({ traceId }) => traceId)).size, "entries").toBe(Math.min(1000, blocks * SPANS));
}

test(`an engine killed while blocks are inserted loses none and doubles none`, async () => {
  embedded = await openEmbedded({ dataDir: folder, retention: KEEP });
  const kills = usually(4, 200);
  const random = seededRandom(11);
  let isDone = false;
  const killing = (async () => {
    for (let i = 0; i < kills; i++) {
      await delay(20 + random() * 400);
      while (embedded!.engine.state !== "up") await delay(20);
      process.kill(embedded!.engine.pid!, "SIGKILL");
    }
    isDone = true;
  })();
  let blocks = 0;
  while (!isDone) await insertUntilAcknowledged(embedded, blocks++);
  await killing;
  await insertUntilAcknowledged(embedded, blocks++);
  expect(embedded.engine.restarts).toBeGreaterThan(0);
  await expectEach(embedded, blocks);
}, 1_200_000);

test("an engine that hangs is replaced, and the block that waited for it is taken once", async () => {
  embedded = await openEmbedded({ dataDir: folder, retention: KEEP });
  await insertUntilAcknowledged(embedded, 0);
  const { pid } = embedded.engine;
  process.kill(pid!, "SIGSTOP");
  await insertUntilAcknowledged(embedded, 1);
  expect(embedded.engine.pid).not.toBe(pid);
  await expectEach(embedded, 2);
});

// A disk of its own is a mount, which takes root.
test.skipIf(process.getuid?.() !== 0)(
  "a full disk is said to be one; reading goes on, and with room writing does",
  async () => {
    mkdirSync(join(folder, "small"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "longpole-test", join(folder, "small")]);
    try {
      embedded = await openEmbedded({ dataDir: join(folder, "small"), retention: KEEP });
      await insertUntilAcknowledged(embedded, 0);
      execFileSync("sh", ["-c", `dd if=/dev/zero of=${join(folder, "small", "ballast")} bs=64k 2>/dev/null || true`]);
      await expect(embedded.store.insertSpans(block(1), "block 1")).rejects.toMatchObject({
        code: "disk-full",
        permanent: false,
      });
      expect((await embedded.store.readSpans(RANGE)).rowCount).toBeGreaterThanOrEqual(SPANS);
      rmSync(join(folder, "small", "ballast"));
      await insertUntilAcknowledged(embedded, 1);
      await expectEach(embedded, 2);
      await embedded.close();
      embedded = undefined;
    } finally {
      execFileSync("umount", ["-l", join(folder, "small")]);
    }
  },
);

test("a store that was closed opens again with all it had; it migrates nothing twice", async () => {
  embedded = await openEmbedded({ dataDir: folder, retention: KEEP });
  await insertUntilAcknowledged(embedded, 0);
  await embedded.close();
  embedded = await openEmbedded({ dataDir: folder, retention: KEEP });
  await insertUntilAcknowledged(embedded, 0);
  await expectEach(embedded, 1);
  expect(embedded.engine.restarts).toBe(0);
});
