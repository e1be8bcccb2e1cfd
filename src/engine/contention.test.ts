import { describe, expect, test } from "vitest";
import { Random } from "../analysis/random.ts";
import { SpanKind } from "../model/span-table.ts";
import { spanObjects } from "../testing/span-objects.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { takeRows } from "../model/take-rows.ts";
import { expectedNs, growthWithInFlight, inFlightCounts, isGrowth, withoutWaiting } from "./contention.ts";
import { buildWindow } from "./window.ts";

const MS = 1e6;

describe("time against the number in flight", () => {
  /** 100 spans each with 0, 1, ..., 9 others in flight. */
  const counts = Float64Array.from({ length: 1000 }, (_, i) => Math.floor(i / 100));

  test("2 ms alone and 1 ms more for each other", () => {
    const growth = growthWithInFlight(
      counts.map((others) => (2 + others) * MS),
      counts,
    )!;
    // quarter with the fewest: counts 0, 1, 2, of which the median is 1; tenth with the most: at least 9 of 0 to 9
    expect(growth.few).toBe(2);
    expect(growth.many).toBeCloseTo(8.1, 5);
    expect(growth.aloneNs).toBe(3 * MS);
    expect(growth.crowdedNs).toBe(11 * MS);
    expect(growth.correlation).toBeCloseTo(1, 6);
    expect(isGrowth(growth)).toBe(true);
    // on the line from (2, 3 ms) to (8.1, 11 ms), which ends at half as much again
    expect(expectedNs(0, growth)).toBe(3 * MS);
    expect(expectedNs(5.05, growth)).toBeCloseTo(7 * MS, 0);
    expect(expectedNs(1000, growth)).toBeCloseTo(15 * MS, 0);
    expect(withoutWaiting(14 * MS, 5.05, growth)).toBeCloseTo(6 * MS, 0);
  });

  test("the same however many: no growth", () => {
    const random = new Random(1);
    const growth = growthWithInFlight(
      counts.map(() => (2 + random.uniform()) * MS),
      counts,
    )!;
    expect(growth.correlation).toBeNaN();
    expect(isGrowth(growth)).toBe(false);
  });

  test("a few microseconds more are not looked at", () => {
    const growth = growthWithInFlight(
      counts.map((others) => (2 + others) * 1000),
      counts,
    )!;
    expect(isGrowth(growth)).toBe(false);
  });

  test.each([
    ["fewer than 100 spans", counts.slice(0, 99)],
    ["a count that hardly varies", counts.map((others) => others % 2)],
  ])("%s: not known", (_, own) => {
    expect(growthWithInFlight(own, own)).toBeUndefined();
  });
});

describe("in flight at the start of a span", () => {
  test("of the process and of the operation: as counted one by one, duplicates once", async () => {
    const random = new Random(2);
    const drawn = Array.from({ length: 300 }, (_, i): SpanRow[] => {
      const startNs = random.below(2000 * MS);
      const endNs = startNs + MS + random.below(60 * MS);
      const common = { trace: i + 1, host: `h${random.below(2)}`, service: "shop" };
      return [
        { ...common, id: 1, parent: 0, startNs, endNs, kind: SpanKind.server, name: `GET /${"ab"[random.below(2)]}` },
        { ...common, id: 2, parent: 1, startNs: startNs + 0.5 * MS, endNs, kind: SpanKind.client, name: "call" },
      ];
    });
    const table = spansFromRows(drawn.flat());
    const again = Array.from({ length: 100 }, (_, i) => 3 * i);
    const doubled = takeRows(table, Int32Array.from([...Array.from({ length: 600 }, (_, row) => row), ...again]));
    const window = await buildWindow(doubled, async () => {});
    const found = inFlightCounts(window);
    const all = spanObjects(window.spans).map((span, row) => ({ span, row }));
    const isFirst = ({ span, row }: (typeof all)[number]): boolean =>
      row === all.findIndex(({ span: other }) => other.traceId === span.traceId && other.spanId === span.spanId);
    const unique = all.filter(isFirst).map(({ span, row }) => ({
      row,
      start: span.startUnixNs,
      end: span.endUnixNs,
      host: span.resource["host.name"],
      name: span.name,
      isEntry: span.kind === SpanKind.server,
    }));
    expect([all.length, unique.length]).toEqual([700, 600]);
    for (const own of unique) {
      const open = unique.filter(({ start, end, host }) => start < own.start && end > own.start && host === own.host);
      expect(found.operation[own.row]).toBe(open.filter(({ name }) => name === own.name).length);
      expect(found.process[own.row]).toBe(open.filter(({ isEntry }) => isEntry).length);
    }
  });
});
