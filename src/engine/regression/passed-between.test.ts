import { expect, test } from "vitest";
import { Random } from "../../analysis/random.ts";
import { SpanKind, type SpanTable } from "../../model/span-table.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { diagnose } from "../diagnose.ts";
import type { Finding } from "../../model/report.ts";

const MS = 1e6;

/** Milliseconds more than the usual 2 that front, back and the store below it work for a request with these two numbers (0 .. 1). */
type More = (size: number, other: number) => { front?: number; back?: number; store?: number };

/** 200 requests: front calls back, which calls the store; each works 2 ms ± 20 % of its own. */
function system(seed: number, more: More = () => ({})): SpanTable {
  const random = new Random(seed);
  const rows: SpanRow[] = [];
  for (let i = 0; i < 200; i++) {
    const extra = more(random.uniform(), random.uniform());
    const work = (of: number | undefined): number => (2 * (0.8 + 0.4 * random.uniform()) + (of ?? 0)) * MS;
    const [front, back, store] = [work(extra.front), work(extra.back), work(extra.store)];
    const at = i * 200 * MS;
    const way = 0.3 * MS;
    const add = (id: number, from: number, ns: number, service: string, name: string): void => {
      const kind = name.startsWith("call") ? SpanKind.client : SpanKind.server;
      rows.push({ trace: i + 1, id, parent: id - 1, startNs: from, endNs: from + ns, kind, service, name });
    };
    add(1, at, front + back + store + 4 * way, "front", "GET /page");
    add(2, at + MS / 4, back + store + 4 * way, "front", "call back");
    add(3, at + MS / 4 + way, back + store + 2 * way, "back", "GET /list");
    add(4, at + MS / 2 + way, store + 2 * way, "back", "call store");
    add(5, at + MS / 2 + 2 * way, store, "store", "GET /rows");
  }
  return spansFromRows(rows);
}

async function told(more: More): Promise<Finding[]> {
  const { findings } = await diagnose({ spans: system(1, more), baseline: system(2) });
  return findings.filter(({ severity }) => severity !== "note");
}

test("two ends of an edge that take longer by one size: what passes between them grew", async () => {
  const [first, ...others] = await told((size) => ({ front: 15 * size ** 3, back: 25 * size ** 3 }));
  expect(first).toMatchObject({
    mechanism: "payload-size",
    kind: "regression",
    subject: { service: "back", operation: "GET /list" },
  });
  expect(first!.counter[0]).toContain("no size was recorded");
  // Without it both work 2 ms again: the p99 of front + back + store + ways is some 8 ms.
  expect(first!.impact.now).toBeGreaterThan(35);
  expect(first!.impact.predicted).toBeLessThan(15);
  expect(others).toEqual([]);
});

test.each<[string, More]>([
  ["each by a number of its own", (a, b) => ({ front: 15 * a ** 3, back: 25 * b ** 3 })],
  ["a third service as well: what all share", (size) => ({ front: 15 * size, back: 20 * size, store: 20 * size })],
  ["only one end", (size) => ({ back: 25 * size })],
])("no payload: %s", async (_, more) => {
  expect((await told(more)).map(({ mechanism }) => mechanism)).not.toContain("payload-size");
});
