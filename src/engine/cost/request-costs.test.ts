import { describe, expect, test } from "vitest";
import { SpanKind } from "../../model/span-table.ts";
import type { CostRow, CostTotals } from "../../model/cost-report.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { diagnose } from "../diagnose.ts";

const MS = 1e6;
const SECONDS = 20;

/** A request of `ownMs` in the shop, which calls the stock for 2 ms of which 1 ms is its database; every second, for 20 s. */
function request(trace: number, name: string, ownMs: number, attributes: SpanRow["attributes"] = {}): SpanRow[] {
  const startNs = Math.floor(trace / 10) * 1000 * MS + (trace % 10) * 50 * MS;
  const at = (fromMs: number, toMs: number) => ({ startNs: startNs + fromMs * MS, endNs: startNs + toMs * MS });
  const { server, client } = SpanKind;
  const common = { trace, service: "shop" };
  return [
    { ...common, id: 1, parent: 0, kind: server, name, attributes, ...at(0, ownMs + 2) },
    { ...common, id: 2, parent: 1, kind: client, name: "GET /stock", ...at(ownMs, ownMs + 2) },
    { trace, service: "stock", id: 3, parent: 2, kind: server, name: "GET /stock", ...at(ownMs, ownMs + 2) },
    {
      trace,
      service: "stock",
      id: 4,
      parent: 3,
      kind: client,
      name: "SELECT",
      attributes: { "db.system.name": "postgresql", "db.namespace": "stock_db" },
      ...at(ownMs, ownMs + 1),
    },
  ];
}

/** Per second one `dear` and one `cheap` request: 3 ms and 1 ms of their own. */
const twoEndpoints = (attributes?: (i: number) => SpanRow["attributes"]): SpanRow[] =>
  Array.from({ length: SECONDS }, (_, i) => [
    ...request(10 * i + 1, "GET /dear", 3, attributes?.(i)),
    ...request(10 * i + 2, "GET /cheap", 1, attributes?.(i)),
  ]).flat();

const cpu = (service: string, cores: number): SeriesObject => ({
  name: "process.cpu.time",
  unit: "s",
  kind: "sum",
  temporality: "cumulative",
  monotonic: true,
  resource: { "service.name": service },
  points: Array.from({ length: SECONDS + 1 }, (_, i) => [i, cores * i] as const),
});

async function costsOf(
  rows: readonly SpanRow[],
  ...series: SeriesObject[]
): Promise<{ costs: readonly CostRow[]; totals: CostTotals }> {
  const metrics = series.length === 0 ? {} : { metrics: metricTableOf(...series) };
  const { costs, costTotals } = await diagnose({ spans: spansFromRows(rows), ...metrics });
  return { costs: costs!, totals: costTotals! };
}

const byName = (costs: readonly CostRow[], operation: string): CostRow =>
  costs.find((row) => row.endpoint.operation === operation)!;

describe("who uses it all", () => {
  test("CPU of a service in proportion to the requests' own time in it, callees' CPU with the caller that caused it", async () => {
    const { costs, totals } = await costsOf(twoEndpoints(), cpu("shop", 0.4), cpu("stock", 0.2), cpu("stock_db", 0.1));
    // Own time in the shop 3 : 1, in the stock and its database 1 : 1.
    expect(byName(costs, "GET /dear").cpuSecondsPerSecond).toBeCloseTo(0.3 + 0.1 + 0.05, 6);
    expect(byName(costs, "GET /cheap").cpuSecondsPerSecond).toBeCloseTo(0.1 + 0.1 + 0.05, 6);
    expect(byName(costs, "GET /dear").share).toBeCloseTo(0.45 / 0.7, 6);
    expect(byName(costs, "GET /dear").dbMsPerRequest).toBeCloseTo(1, 6);
    expect(totals).toMatchObject({ of: "cpu", unattributed: [], notMeasured: [] });
    expect(totals.cpuSecondsPerSecond).toBeCloseTo(0.7, 6);
  });

  test("what no span accounts for is told as such, and rows with it sum to the total", async () => {
    const { costs, totals } = await costsOf(twoEndpoints(), cpu("shop", 0.4), cpu("batch", 0.6));
    expect(totals.unattributed).toEqual([
      expect.objectContaining({ service: "batch", resource: "cpu", why: "no span tells what it works on" }),
    ]);
    expect(totals.unattributed[0]!.share).toBeCloseTo(0.6, 6);
    expect(totals.notMeasured).toEqual(["stock"]);
    const sum = costs.reduce((all, row) => all + row.cpuSecondsPerSecond!, 0);
    expect(sum + totals.unattributed[0]!.perSecond).toBeCloseTo(totals.cpuSecondsPerSecond!, 9);
  });

  test("without metrics the time of databases is what is shared", async () => {
    const { costs, totals } = await costsOf(twoEndpoints());
    expect(totals).toMatchObject({ of: "database", notMeasured: ["shop", "stock"] });
    expect(costs.map(({ share }) => share)).toEqual([0.5, 0.5]);
    expect(costs[0]!.cpuSecondsPerSecond).toBeUndefined();
  });

  test("tenants by an attribute of the convention; what the handler of a message uses is its sender's", async () => {
    const rows = twoEndpoints((i) => ({ "tenant.id": i % 4 === 0 ? "large" : "small" }));
    const { producer, consumer } = SpanKind;
    const sent = Array.from({ length: SECONDS }, (_, i): SpanRow[] => {
      const startNs = i * 1000 * MS + 100 * MS;
      const link = { trace: 10 * i + 1, id: 9 };
      if (i % 4 !== 0) return [];
      return [
        {
          trace: link.trace,
          id: 9,
          parent: 1,
          kind: producer,
          service: "shop",
          startNs: startNs - 49 * MS,
          endNs: startNs - 49 * MS,
        },
        {
          trace: 5000 + i,
          id: 1,
          parent: 0,
          kind: consumer,
          service: "mailer",
          startNs,
          endNs: startNs + 5 * MS,
          link,
        },
      ];
    }).flat();
    const { costs } = await costsOf([...rows, ...sent], cpu("mailer", 0.5));
    expect(costs.filter((row) => row.share > 0)).toMatchObject([
      { endpoint: { operation: "GET /dear" }, tenant: "large", tenantAttribute: "tenant.id", share: 1 },
    ]);
  });

  test("an attribute that is of no convention, where it splits the costs of an endpoint unevenly, and not where it does not", async () => {
    const rows = (uneven: boolean): SpanRow[] =>
      Array.from({ length: 200 }, (_, i) =>
        request(i, "GET /report", uneven && i % 2 === 0 ? 40 : 4, { plan: i % 2 === 0 ? "gold" : "basic" }),
      ).flat();
    expect((await costsOf(rows(true))).costs.map(({ tenant }) => tenant)).toEqual(["gold", "basic"]);
    expect((await costsOf(rows(false))).costs.map(({ tenant }) => tenant)).toEqual([undefined]);
  });

  test("own time that is waiting costs no CPU, where the load of the two kinds of request tells", async () => {
    // Both compute 10 ms a request; one waits for 40 ms more. From second to second there are more of the one or the other.
    const many = (i: number, k: number): number => 2 + ((i * k) % 5);
    const rows = Array.from({ length: SECONDS }, (_, i) =>
      Array.from({ length: many(i, 2) + many(i, 3) }, (__, n): SpanRow => {
        const [name, ms] = n < many(i, 2) ? ["GET /slow", 50] : ["GET /quick", 10];
        const startNs = i * 1000 * MS + n * 60 * MS;
        const root = { trace: 100 * i + n + 1, id: 1, parent: 0, kind: SpanKind.server, service: "shop" };
        return { ...root, name, startNs, endNs: startNs + ms * MS };
      }),
    ).flat();
    let total = 0;
    const used = Array.from({ length: SECONDS + 1 }, (_, i) => {
      if (i > 0) total += 0.01 * (many(i - 1, 2) + many(i - 1, 3));
      return [i, total] as const;
    });
    const { costs } = await costsOf(rows, { ...cpu("shop", 0), points: used });
    expect(byName(costs, "GET /slow").cpuMsPerRequest).toBeCloseTo(10, 0);
    expect(byName(costs, "GET /quick").cpuMsPerRequest).toBeCloseTo(10, 0);
  });

  test("CPU for a thousand units of work, by an attribute and by a counter", async () => {
    // Two requests a second with 50 points each, and a counter of 100 a second: 0.4 CPU-seconds for 100 points.
    const rows = twoEndpoints(() => ({ "app.points": 50 }));
    const counter = { ...cpu("shop", 100), name: "app_points_received_total", unit: "{point}" };
    const { totals } = await costsOf(rows, cpu("shop", 0.4), counter);
    expect(totals.perUnit!.map(({ service, unit }) => [service, unit])).toEqual([
      ["shop", "app.points"],
      ["shop", "app_points_received_total"],
    ]);
    for (const { cpuSecondsPerThousand, perSecond } of totals.perUnit!) {
      expect(cpuSecondsPerThousand).toBeCloseTo(4, 6);
      expect(perSecond).toBeCloseTo(100, 6);
    }
    expect((await costsOf(twoEndpoints(), cpu("shop", 0.4))).totals.perUnit).toBeUndefined();
  });

  test("bytes of bodies at each hop, and none where no span tells any", async () => {
    const sized = twoEndpoints(() => ({ "http.response.body.size": 2000, "http.request.body.size": 100 }));
    const { costs } = await costsOf(sized);
    expect(byName(costs, "GET /dear").bytesPerRequest).toBeCloseTo(2100, 6);
    expect((await costsOf(twoEndpoints())).costs[0]!.bytesPerRequest).toBeUndefined();
  });
});
