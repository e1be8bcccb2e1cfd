import { expect, test } from "vitest";
import type { Finding } from "../../model/report.ts";
import { SpanKind } from "../../model/span-table.ts";
import { sampleReport } from "../../testing/sample-report.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { buildWindow } from "../window.ts";
import { consumersOf } from "./consumers.ts";

const MS = 1e6;

/** 101 messages, one every 10 ms, each handled for `workMs` by `workers` in the order in which they came. */
async function named(workMs: number, workers: number) {
  const free = Array.from({ length: workers }, () => 0);
  const rows = Array.from({ length: 101 }, (_, i): SpanRow[] => {
    const sent = i * 10 * MS;
    const who = free.indexOf(Math.min(...free));
    const start = Math.max(sent + MS, free[who]!);
    free[who] = start + workMs * MS;
    const own = { trace: i + 1, name: "rollups" };
    return [
      { ...own, id: 1, parent: 0, startNs: sent, endNs: sent + MS, kind: SpanKind.producer, service: "ingest" },
      { ...own, id: 2, parent: 1, startNs: start, endNs: free[who]!, kind: SpanKind.consumer, service: "worker" },
    ];
  }).flat();
  const window = await buildWindow(spansFromRows(rows), async () => {});
  const [first] = sampleReport().findings;
  const finding: Finding = { ...first!, subject: { service: "worker", operation: "rollups" } };
  return consumersOf(finding, window);
}

test("by hand: 101 messages in a second, 25 ms each, by one worker", async () => {
  // 101 / 1 s × 25 ms = 2.525 at once. Erlang C: with 5 servers 0.135 of them wait, with 6 0.0495.
  const found = await named(25, 1);
  expect(found!.change).toBe("workers: 1 -> 6");
  expect(found!.arithmetic).toMatch(/^101\.0\/s × 25\.0 ms = 2\.52 messages/);
});

test("what is worked on at once is seen in the spans; where that is enough nothing is said", async () => {
  expect((await named(25, 2))!.change).toBe("workers: 2 -> 6");
  expect(await named(0.2, 1)).toBeUndefined();
});
