import fc from "fast-check";
import { expect, test } from "vitest";
import type { CostRow } from "../../model/cost-report.ts";
import { SpanKind } from "../../model/span-table.ts";
import { metricTableOf } from "../../testing/metric-table.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { resourceContext } from "../resources/resource-context.ts";
import { buildWindow } from "../window.ts";
import { requestCosts } from "./request-costs.ts";

/** Spans of any kind, with parents that may be missing, links to any span, and sizes on some: nothing is well formed. */
const spanRow = (id: number): fc.Arbitrary<SpanRow> =>
  fc
    .record({
      trace: fc.integer({ min: 1, max: 6 }),
      parent: fc.integer({ min: 0, max: 25 }),
      kind: fc.constantFrom(...Object.values(SpanKind)),
      service: fc.constantFrom("web", "shop", "mail"),
      name: fc.constantFrom("GET /a", "GET /b"),
      startMs: fc.integer({ min: 0, max: 20_000 }),
      ms: fc.integer({ min: 0, max: 400 }),
      link: fc.option(fc.record({ trace: fc.integer({ min: 1, max: 6 }), id: fc.integer({ min: 1, max: 20 }) })),
      isDatabase: fc.boolean(),
      tenant: fc.constantFrom("", "one", "two"),
      bytes: fc.option(fc.integer({ min: 0, max: 1e6 })),
    })
    .map(({ startMs, ms, link, isDatabase, tenant, bytes, ...row }) => ({
      ...row,
      id,
      startNs: startMs * 1e6,
      endNs: (startMs + ms) * 1e6,
      ...(link === null ? {} : { link }),
      attributes: {
        ...(isDatabase ? { "db.system.name": "postgresql", "db.namespace": "d" } : {}),
        ...(tenant === "" ? {} : { "tenant.id": tenant }),
        ...(bytes === null ? {} : { "http.response.body.size": bytes }),
      },
    }));
const rows = fc
  .integer({ min: 1, max: 20 })
  .chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => spanRow(i + 1))));
const cores = fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 21, maxLength: 21 });

test("rows and what is unattributed sum to what was measured: CPU, database time and bytes", async () => {
  let checked = 0;
  await fc.assert(
    fc.asyncProperty(rows, fc.dictionary(fc.constantFrom("web", "shop", "d", "batch"), cores), async (spans, used) => {
      const window = await buildWindow(spansFromRows(spans), async () => {});
      const metrics = Object.entries(used).map(([service, perSecond]) => {
        let total = 0;
        return {
          name: "process.cpu.time",
          unit: "s",
          kind: "sum" as const,
          temporality: "cumulative" as const,
          monotonic: true,
          resource: { "service.name": service },
          points: perSecond.map((ms, i) => [i, (total += ms / 1e3)] as const),
        };
      });
      const resources = resourceContext(metricTableOf(...metrics), undefined, window, undefined);
      const { costs, costTotals } = requestCosts(window, resources, 1);
      if (costs === undefined || costTotals === undefined) return;
      checked++;
      const left = (resource: string): number =>
        costTotals.unattributed.reduce((sum, one) => sum + (one.resource === resource ? one.perSecond : 0), 0);
      const sumOf = (of: (row: CostRow) => number | undefined): number =>
        costs.reduce((sum, row) => sum + (of(row) ?? 0), 0);
      expect(sumOf((row) => row.cpuSecondsPerSecond) + left("cpu")).toBeCloseTo(costTotals.cpuSecondsPerSecond ?? 0, 6);
      expect(sumOf((row) => row.dbSecondsPerSecond) + left("database")).toBeCloseTo(costTotals.dbSecondsPerSecond, 6);
      const bytes = costTotals.bytesPerSecond ?? 0;
      expect(Math.abs(sumOf((row) => row.bytesPerSecond) + left("bytes") - bytes)).toBeLessThanOrEqual(
        1e-6 * (1 + bytes),
      );
      for (const { share, low, high } of costs) {
        expect(share).toBeGreaterThanOrEqual(low);
        expect(share).toBeLessThanOrEqual(high);
      }
    }),
    { numRuns: 60, seed: 7 },
  );
  expect(checked).toBeGreaterThan(30);
});
