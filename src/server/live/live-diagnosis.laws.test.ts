import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Random } from "../../analysis/random.ts";
import { diagnose } from "../../engine/diagnose.ts";
import { loadInputs } from "../../formats/load-inputs.ts";
import { otlpTraceLines } from "../../formats/write-otlp-traces-json.ts";
import type { SpanTable } from "../../model/span-table.ts";
import { takeRows } from "../../model/take-rows.ts";
import type { Embedded } from "../../store/embedded/open-embedded.ts";
import { openEmbedded } from "../../store/embedded/open-embedded.ts";
import type { TimeRange } from "../../store/store.ts";
import { faultCase } from "../../testing/accuracy/case.ts";
import { usually } from "../../testing/long-tests.ts";
import { FAULTS } from "../../testing/simulator/faults/table.ts";
import { BlockCache } from "./block-cache.ts";
import { diagnoseLive, type LiveReader } from "./live-diagnosis.ts";
import { readWindow } from "./read-window.ts";

/**
 * What is kept from one answer to the next must not show in any answer: windows that move at random, over spans some of
 * which come late, are answered as from nothing, and as `longpole analyze` answers for the window's export.
 */
const MOVES = usually(5, 40);

let dataDir = "";
let embedded: Embedded;
let now: SpanTable;
let before: SpanTable;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "longpole-live-laws-"));
  embedded = await openEmbedded({ dataDir, retention: { spanDays: 3650, metricDays: 3650 } });
  const found = faultCase(
    FAULTS.find(({ name }) => name === "cache-miss")!,
    1,
    500,
  );
  now = found.current;
  before = found.baseline!;
}, 60_000);

afterAll(async () => {
  await embedded.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const readerOf = (budget: number): LiveReader => ({
  store: embedded.store,
  cache: new BlockCache(3 * budget),
  kept: {},
  rows: {},
  budget,
  operations: [],
  nowUnixNs: () => BigInt(Date.now()) * 1_000_000n,
});

function rangeOf({ baseUnixNs, startOffsetNs }: SpanTable): TimeRange {
  const sorted = startOffsetNs.toSorted();
  return { fromUnixNs: baseUnixNs + BigInt(sorted[0]!), toUnixNs: baseUnixNs + BigInt(sorted.at(-1)!) + 1n };
}

async function exported(range: TimeRange, name: string): Promise<SpanTable> {
  const file = join(dataDir, `${name}.jsonl`);
  const { spans } = await readWindow(readerOf(1_000_000), range);
  writeFileSync(file, [...otlpTraceLines(spans)].join(""));
  const loading = loadInputs([file]);
  for (;;) {
    const step = await loading.next();
    if (step.done === true) return step.value.spans;
  }
}

test("windows that move are answered as from nothing, and as their export is", { timeout: 120_000 }, async () => {
  const random = new Random(4);
  // A tenth of the spans comes later.
  const isLate = Array.from({ length: now.rowCount }, () => random.uniform() < 0.1);
  const rows = (late: boolean): Int32Array => Int32Array.from(isLate.keys()).filter((row) => isLate[row] === late);
  await embedded.store.insertSpans(before, "before");
  await embedded.store.insertSpans(takeRows(now, rows(false)), "now");
  const all = rangeOf(now);
  const length = all.toUnixNs - all.fromUnixNs;
  const baseline = rangeOf(before);
  const kept = readerOf(1_000_000);
  const windows = new Set<object>();
  for (let move = 0; move < MOVES; move++) {
    if (move === 2) await embedded.store.insertSpans(takeRows(now, rows(true)), "late");
    const fromUnixNs = all.fromUnixNs + (length * BigInt(random.below(500))) / 1000n;
    const range = { fromUnixNs, toUnixNs: fromUnixNs + length / 2n };
    const query = { range, baseline: { kind: "range", range: baseline }, objectives: [] } as const;
    const { report } = await diagnoseLive(kept, query);
    expect(report.dataQuality.traces).toBeGreaterThan(20);
    expect(report).toEqual((await diagnoseLive(readerOf(1_000_000), query)).report);
    const { live, ...plain } = report;
    expect(live?.baseline).toBeDefined();
    const files = {
      spans: await exported(range, `now-${move}`),
      baseline: await exported(baseline, `before-${move}`),
    };
    expect(JSON.stringify(await diagnose(files))).toBe(JSON.stringify(plain));
    windows.add(kept.kept.baseline!.window);
  }
  // Built once, for all of them.
  expect(windows.size).toBe(1);
});
