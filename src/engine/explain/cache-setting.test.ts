import { expect, test } from "vitest";
import { SpanKind, type SpanTable } from "../../model/span-table.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { diagnose } from "../diagnose.ts";
import type { Finding } from "../../model/report.ts";

const MS = 1e6;
const PRICES = 40;

/**
 * 1,000 requests for one of 40 prices, ten a second; `answers` says whether the i-th finds its price in the cache. Where it
 * does not, it is fetched in 30 ms. The span that fetches is a handler inside of the one that knows the path.
 */
function requests(answers: (price: number, i: number) => boolean): SpanTable {
  const rows: SpanRow[] = [];
  for (let i = 0; i < 1000; i++) {
    const at = i * 100 * MS;
    // Every other request is for one of three prices; the others go round.
    const price = i % 2 === 0 ? (i * 7) % 3 : 3 + ((i * 13) % (PRICES - 3));
    const work = (answers(price, i) ? 2 : 32) * MS + (i % 5) * 1e5;
    const row = { trace: i + 1, parent: 0, kind: SpanKind.internal, service: "shop" };
    rows.push({
      ...row,
      id: 1,
      startNs: at,
      endNs: at + work + MS,
      kind: SpanKind.server,
      name: "GET /price/:id",
      attributes: { "url.path": `/price/${price}` },
    });
    rows.push({ ...row, id: 2, parent: 1, startNs: at, endNs: at + work, name: "handler" });
    if (work > 30 * MS)
      rows.push({
        ...row,
        id: 3,
        parent: 2,
        startNs: at + MS,
        endNs: at + 31 * MS,
        kind: SpanKind.client,
        name: "GET",
      });
  }
  return spansFromRows(rows);
}

/** A cache of so many entries, least recently used first out. */
function lru(entries: number): (price: number) => boolean {
  const kept: number[] = [];
  return (price) => {
    const at = kept.indexOf(price);
    if (at >= 0) kept.splice(at, 1);
    kept.push(price);
    if (kept.length > entries) kept.shift();
    return at >= 0;
  };
}

async function miss(now: SpanTable): Promise<Finding> {
  // Before, the cache had all; one request had to fetch, so that the call is known.
  const before = requests((_, i) => i !== 500);
  const { findings } = await diagnose({ spans: now, baseline: before });
  return findings.find(({ mechanism }) => mechanism === "cache-miss")!;
}

test("a cache that is too small: its size, and the size that would do", async () => {
  const { subject, remedy, chain, evidence } = await miss(requests(lru(10)));
  expect(subject).toMatchObject({ service: "shop", setting: "entries" });
  // Between two requests for one of the three lie the other two and three of the rest: 5 other prices. Between two for one of the
  // rest lie all 39. So the cache has 6 entries at least, and fewer than 40.
  expect(remedy.change).toMatch(/^entries: 6 to 39 -> 40 /);
  expect(chain.at(-1)!.claim).toContain("40 different keys are asked for");
  expect(evidence.at(-1)!.text).toContain("960 requests");
});

test("a cache that forgets too early: how long it keeps a value, and for how long it had to", async () => {
  const fetched = new Map<number, number>();
  const answered = (price: number, i: number): boolean => {
    // Kept for 2 s from the end of the fetch, 33 ms after the request.
    if (i * 100 < (fetched.get(price) ?? -Infinity)) return true;
    fetched.set(price, i * 100 + 33 + 2000);
    return false;
  };
  const { subject, remedy } = await miss(requests(answered));
  // Of the three each is asked for every 600 ms: answered after 0.6, 1.2 and 1.8 s, not after 2.4 s, of which the fetch takes 33 ms. The others come every 7.4 s,
  // in 13 rounds: kept for six of them (44.4 s), 37 are fetched once more and the three twice each, 43 of 960; for five, 37 twice.
  expect(subject).toMatchObject({ service: "shop", setting: "ttl" });
  expect(remedy.change).toMatch(/^ttl: 1\.77 s to 2\.37 s -> 44\.[45] s /);
});

test("a cache that is off keeps nothing; where some are answered by chance, no setting is named", async () => {
  const off = await miss(requests(() => false));
  expect(off).toMatchObject({
    subject: { setting: "entries" },
    remedy: { change: expect.stringMatching(/^entries: 0 -> 40 /) as string },
  });
  const chance = await miss(requests((price, i) => Math.sin(price * 5 + i * 3.7) > 0));
  expect(chance.subject.setting).toBeUndefined();
  expect(chance.remedy.change).toBeUndefined();
});
