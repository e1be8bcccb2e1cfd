import { describe, expect, test } from "vitest";
import type { PageDocument } from "../../model/page.ts";
import { traceFromText } from "../../testing/trace-from-text.ts";
import { stacksFromText } from "../../testing/stacks-from-text.ts";
import { pageDocument } from "./page-document.ts";

/**
 * Six requests, the last one slow because it waits for a connection: one column is a millisecond.
 * The database sends no spans; `stock` does.
 */
const REQUEST = (wait: number): string => {
  const pad = " ".repeat(wait);
  const dash = "-".repeat(wait);
  return `
  shop GET /buy       |${dash}----------------|   server
    shop pg.connect    |${dash}|                  internal db.system=postgresql name=pool
    shop SELECT        ${pad}  |---|              client db.system=postgresql db.namespace=orders
    shop GET           ${pad}       |------|      client server.address=stock
      stock GET /item  ${pad}         |--|        server
`;
};
const SPANS = traceFromText([1, 1, 1, 1, 1, 21].map(REQUEST).join("\n"), { unitNs: 1e6 });

const page = async (): Promise<PageDocument> =>
  pageDocument({ spans: SPANS, producer: "0", source: { files: ["x"], baseline: [] } });

describe("the page around a report", () => {
  test("the heat map has every request once, in the first and the last row", async () => {
    const { heat } = (await page()).endpoints[0]!;
    expect(heat.requests.reduce((sum, value) => sum + value, 0)).toBe(6);
    const inRow = (row: number): number =>
      heat.requests.slice(row * heat.columns, (row + 1) * heat.columns).reduce((sum, value) => sum + value, 0);
    expect(inRow(0)).toBe(5);
    expect(inRow(heat.rows - 1)).toBe(1);
    expect(heat.lowestMs).toBe(18);
    // The last row ends at the longest request.
    expect(heat.lowestMs * heat.ratio ** heat.rows).toBeCloseTo(38, 5);
    expect(heat.startUnixMs).toBe(1_790_000_000_000);
  });

  test("parts of a request sum to its duration, and weights to all requests", async () => {
    const { requests } = (await page()).endpoints[0]!;
    expect(requests.durationMs).toEqual([38, 18, 18, 18, 18, 18]);
    expect(requests.weight.reduce((sum, value) => sum + value, 0)).toBe(requests.total);
    for (let i = 0; i < 6; i++) {
      let sum = 0;
      for (let j = requests.partStart[i]!; j < requests.partStart[i + 1]!; j++) sum += requests.partMs[j]!;
      expect(sum).toBeCloseTo(requests.durationMs[i]!, 6);
    }
  });

  test("the map has the services, the database that sends no spans, and the time on the way", async () => {
    const { map } = (await page()).endpoints[0]!;
    expect(map.nodes.map(({ name, kind }) => [name, kind])).toEqual([
      ["shop", "service"],
      ["orders", "database"],
      ["stock", "service"],
    ]);
    const edge = (from: string, to: string) =>
      map.edges.find((held) => map.nodes[held.from]!.name === from && map.nodes[held.to]!.name === to)!;
    expect(edge("shop", "orders")).toMatchObject({ calls: 1, p99Ms: 4, transitMs: 0 });
    expect(edge("shop", "stock")).toMatchObject({ calls: 1, p99Ms: 7, transitMs: 4 });
    const total =
      map.nodes.reduce((sum, node) => sum + node.p99Ms, 0) + map.edges.reduce((sum, held) => sum + held.transitMs, 0);
    // Nothing of the slowest request is lost or counted twice.
    expect(total).toBeCloseTo(38, 6);
  });

  test("a kept trace is whole, its path covers it and names its spans", async () => {
    const { traces } = await page();
    const slowest = traces[0]!;
    expect(slowest).toMatchObject({
      role: "slow",
      durationMs: 38,
      complete: true,
      startUnixNs: expect.stringMatching(/^179/),
    });
    expect(slowest.parent).toEqual([-1, 0, 0, 0, 3]);
    expect(slowest.operation.map((at) => slowest.strings[at])).toEqual([
      "GET /buy",
      "pg.connect",
      "SELECT",
      "GET",
      "GET /item",
    ]);
    let at = 0;
    for (const [row, start, end] of slowest.path) {
      expect(start).toBeCloseTo(at, 6);
      expect(row).toBeGreaterThanOrEqual(0);
      at = end;
    }
    expect(at).toBe(38);
    expect(slowest.attributes[2]!.map((id) => slowest.strings[id])).toEqual([
      "db.system",
      "postgresql",
      "db.namespace",
      "orders",
    ]);
  });

  test("the critical path as a flame graph sums up level by level", async () => {
    const { tree } = (await page()).flames[0]!;
    expect(tree.value[0]).toBe(38);
    expect(tree.before![0]).toBe(18);
    const below = tree.value.map(() => 0);
    tree.parent.forEach((up, row) => {
      if (up >= 0) below[up]! += tree.value[row]!;
    });
    tree.value.forEach((value, row) => {
      if (below[row]! > 0) expect(below[row]).toBeCloseTo(value, 6);
    });
  });

  test("statements by the time that requests spend in them", async () => {
    const { statements } = await page();
    expect(statements).toHaveLength(1);
    expect(statements[0]).toMatchObject({
      database: "orders",
      services: ["shop"],
      operation: "SELECT",
      share: 1,
      meanMs: 4,
      p50Ms: 4,
      p99Ms: 4,
      errorRatio: 0,
    });
    // Six calls, from the first start to the last end.
    expect(statements[0]!.perSecond).toBeCloseTo(6 / 0.038, 1);
  });

  test("profiles come without the time in which nothing was to do", async () => {
    const stacks = stacksFromText("main;work 30\nmain;rest 10\n(idle) 60", { kinds: { "(idle)": "idle" } });
    const { flames } = await pageDocument({
      spans: SPANS,
      profiles: [{ source: "shop-1.cpuprofile", stacks }],
      producer: "0",
      source: { files: [], baseline: [] },
    });
    const profile = flames.find((flame) => flame.kind === "profile")!;
    expect(profile.service).toBe("shop");
    expect(profile.idle).toBe(60);
    expect(profile.tree.value).toEqual([40, 40, 30, 10]);
    expect(profile.tree.parent).toEqual([-1, 0, 1, 1]);
  });

  test("without any trace there is a page that says so", async () => {
    const empty = await pageDocument({
      spans: traceFromText("a b |-|", {}),
      producer: "0",
      source: { files: [], baseline: [] },
    });
    expect(empty.endpoints).toEqual([]);
    expect(empty.traces).toEqual([]);
  });
});
