import { expect, test } from "vitest";
import type { Sink } from "../ingest/sink.ts";
import { spansFromRows } from "../testing/spans-from-rows.ts";
import { Senders } from "./senders.ts";

test("tells who sent what, how long ago, and how far behind the clock it was", async () => {
  let now = 0;
  const senders = new Senders(() => now);
  const given: string[] = [];
  const into = async (_: unknown, token: string): Promise<void> => void given.push(token);
  const sink: Sink = { insertSpans: into, insertMetrics: into, insertStacks: into };
  const observed = senders.observed(sink);
  expect(senders.lagMs("traces")).toBeUndefined();

  const table = spansFromRows([
    { trace: 1, id: 1, parent: 0, startNs: 0, endNs: 2e9, service: "shop" },
    { trace: 1, id: 2, parent: 1, startNs: 1e9, endNs: 1.5e9, service: "stock" },
  ]);
  const zero = Number(table.baseUnixNs / 1_000_000n);
  now = zero + 2_300;
  await observed.insertSpans(table, "first");
  now += 5_000;
  expect(senders.list()).toEqual({
    senders: [
      { service: "shop", signals: { traces: { ageMs: 5_000, lagMs: 300 } } },
      { service: "stock", signals: { traces: { ageMs: 5_000, lagMs: 800 } } },
    ],
    leftOut: 0,
  });
  expect(senders.lagMs("traces")).toBe(5_300);
  expect(given).toEqual(["first"]);
});

test("forgets those that were not heard of for longest, and says how many are not told", async () => {
  let now = 0;
  const senders = new Senders(() => now);
  const nowhere = async (): Promise<void> => {};
  const observed = senders.observed({ insertSpans: nowhere, insertMetrics: nowhere, insertStacks: nowhere });
  for (let block = 0; block < 5; block++) {
    const rows = Array.from({ length: 500 }, (_, i) => ({
      trace: i + 1,
      id: 1,
      parent: 0,
      startNs: 0,
      endNs: 1,
      service: `s${block * 500 + i}`,
    }));
    now = block + 1;
    await observed.insertSpans(spansFromRows(rows), `${block}`);
  }
  const { senders: told, leftOut } = senders.list();
  expect([told.length, leftOut]).toEqual([200, 1_800]);
  expect(told.every(({ service }) => Number(service.slice(1)) >= 2_000)).toBe(true);
});
