import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SpanKind } from "../model/span-table.ts";
import { SpanFlag, type TraceForest } from "../model/trace-forest.ts";
import { plainFacts } from "../testing/plain-facts.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import { assembleTraces } from "./trace-assembly.ts";
import { Random } from "./random.ts";

const assemble = (rows: SpanRow[]): TraceForest => {
  const spans = spansFromRows(rows);
  return assembleTraces(spans, plainFacts(spans));
};
const US = 1000;

/**
 * A call in trace `trace`: SERVER on host a, its CLIENT 100..900 µs, and the SERVER it calls on host b, whose clock is
 * `aheadUs` ahead. `requestUs` and `responseUs` are spent on the wire.
 */
function call(trace: number, requestUs: number, responseUs: number, aheadUs: number, hosts = ["a", "b"]): SpanRow[] {
  const [a = "", b = ""] = hosts;
  const { server, client } = SpanKind;
  const from = 100 + requestUs + aheadUs;
  const to = 900 - responseUs + aheadUs;
  return [
    { trace, id: 1, parent: 0, startNs: 0, endNs: 1000 * US, kind: server, service: "front", host: a },
    { trace, id: 2, parent: 1, startNs: 100 * US, endNs: 900 * US, kind: client, service: "front", host: a },
    { trace, id: 3, parent: 2, startNs: from * US, endNs: to * US, kind: server, service: "back", host: b },
    { trace, id: 4, parent: 3, startNs: (from + 1) * US, endNs: (to - 1) * US, service: "back", host: b },
  ];
}

describe("host pairs", () => {
  // Bounds of the offset from (request, response): low = -(ahead + request), high = -(ahead - response).
  const wire: [number, number][] = [
    [50, 90],
    [70, 40],
    [90, 60],
    [60, 80],
    [80, 50],
  ];

  test("the offset is the middle of what all pairs permit", () => {
    const forest = assemble(wire.flatMap(([request, response], i) => call(i + 1, request, response, 5000)));
    // The tightest pairs: request 50 gives low = -5050 µs, response 40 gives high = -4960 µs.
    expect(forest.skews).toHaveLength(1);
    expect(forest.skews[0]).toMatchObject({ lowNs: -5050 * US, highNs: -4960 * US, appliedNs: -5005 * US });
    expect(forest.skews[0]).toMatchObject({ pairs: 5, violations: 0 });
    // The first trace's server: raw 5150..5810 µs.
    expect([forest.startNs[2], forest.endNs[2]]).toEqual([145 * US, 805 * US]);
    expect(forest.startNs[3]).toBe(146 * US);
    expect(forest.spans.startOffsetNs[2]).toBe(5150 * US);
    expect([0, 1, 2, 3].map((row) => (forest.flags[row]! & SpanFlag.clockShifted) !== 0)).toEqual([
      false,
      false,
      true,
      true,
    ]);
    // Tolerance: 1 µs and half of the 90 µs, but no more than 1 % of the client's 800 µs.
    expect(forest.toleranceNs[2]).toBe(1 * US + 8 * US);
    expect(forest.toleranceNs[3]).toBe(1 * US);
    // An only child has no order to change.
    expect(forest.flags.some((flags) => (flags & SpanFlag.clockUndetermined) !== 0)).toBe(false);
  });

  test("both directions bound the same offset", () => {
    const back = wire.map(([request, response], i) => call(i + 11, request, response, -5000, ["b", "a"])).flat();
    const forth = wire.map(([request, response], i) => call(i + 1, request, response, 5000)).flat();
    const forest = assemble([...forth, ...back]);
    expect(forest.skews).toHaveLength(1);
    // Forth: low -5050, high -4960. Back, seen from a: low = -(5000 + 40), high = -(5000 - 50).
    expect(forest.skews[0]).toMatchObject({ lowNs: -5040 * US, highNs: -4960 * US, appliedNs: -5000 * US, pairs: 10 });
  });

  test("zero is kept where it is possible", () => {
    const forest = assemble(wire.flatMap(([request, response], i) => call(i + 1, request, response, 30)));
    expect(forest.skews[0]).toMatchObject({ lowNs: -80 * US, highNs: 10 * US, appliedNs: 0 });
    expect(forest.flags.every((flags) => (flags & SpanFlag.clockShifted) === 0)).toBe(true);
    expect(forest.toleranceNs[2]).toBe(US);
  });

  test("a few per cent of contradictions do not matter", () => {
    const random = new Random(7);
    const rows = Array.from({ length: 200 }, (_, i) => {
      const ahead = i % 25 === 0 ? 9000 : 5000;
      return call(i + 1, 20 + (random.uint32() % 100), 20 + (random.uint32() % 100), ahead);
    }).flat();
    const [skew] = assemble(rows).skews;
    expect(skew).toMatchObject({ pairs: 200, violations: 8 });
    expect(Math.abs(skew!.appliedNs + 5000 * US)).toBeLessThanOrEqual(10 * US);
  });

  test("a clock that no offset fits is left alone, and its calls are mended one by one", () => {
    const forest = assemble(wire.flatMap(([request, response], i) => call(i + 1, request, response, 2000 * (i + 1))));
    expect(forest.skews[0]).toMatchObject({ appliedNs: 0, pairs: 5 });
    expect(forest.skews[0]!.violations).toBeGreaterThan(0);
    // Centred: 800 µs of client, 660 of server.
    expect([forest.startNs[2], forest.endNs[2]]).toEqual([170 * US, 830 * US]);
  });

  test("four pairs say nothing; a server outside of its client is centred", () => {
    const forest = assemble(wire.slice(0, 4).flatMap(([request, response], i) => call(i + 1, request, response, 5000)));
    expect(forest.skews).toEqual([]);
    expect([forest.startNs[2], forest.endNs[2]]).toEqual([170 * US, 830 * US]);
  });

  test("offsets add up along the path, and the root's host stays at zero", () => {
    const { server, client } = SpanKind;
    const rows = Array.from({ length: 5 }, (_, i): SpanRow[] => {
      const trace = i + 1;
      const span = (id: number, from: number, to: number, kind: number, service: string, host: string): SpanRow => ({
        trace,
        id,
        parent: id - 1,
        startNs: from * US,
        endNs: to * US,
        kind,
        service,
        host,
      });
      // Host b is 1 s ahead, c another 2 s; each leg takes 10 µs.
      return [
        span(1, 0, 100, client, "A", "a"),
        span(2, 1_000_010, 1_000_090, server, "B", "b"),
        span(3, 1_000_020, 1_000_080, client, "B", "b"),
        span(4, 3_000_030, 3_000_070, server, "C", "c"),
        span(5, 3_000_040, 3_000_060, client, "C", "c"),
        span(6, 45, 55, server, "A", "a"),
      ];
    }).flat();
    const forest = assemble(rows);
    expect([...forest.startNs.subarray(0, 6)]).toEqual([0, 10, 20, 30, 40, 45].map((us) => us * US));
    expect([...forest.endNs.subarray(0, 6)]).toEqual([100, 90, 80, 70, 60, 55].map((us) => us * US));
  });
});

describe("without host names", () => {
  const forestOf = (picture: string): TraceForest => {
    const spans = traceFromText(picture, { unitNs: 10 * US });
    return assembleTraces(spans, plainFacts(spans));
  };
  const timesOf = (picture: string): string => {
    const forest = forestOf(picture);
    return `${forest.startNs[1]! / (10 * US)}-${forest.endNs[1]! / (10 * US)}`;
  };

  test("a server within its client stays", () =>
    expect(
      timesOf(`
      a  |--------| client
        b |--|      server`),
    ).toBe("1-4"));
  test("one that is outside is centred", () =>
    expect(
      timesOf(`
      a  |--------|      client
        b         |----| server`),
    ).toBe("2-7"));
  test("one that is too long but starts inside is taken at its word", () =>
    expect(
      timesOf(`
      a  |------|        client
        b   |----------| server`),
    ).toBe("3-14"));
  test("one that is too long and starts too early is moved to the client's start", () =>
    expect(
      timesOf(`
      a    |------|      client
        b |----------|   server`),
    ).toBe("1-12"));
  test("a message is never moved", () =>
    expect(
      timesOf(`
      a  |--|            producer
        b      |-------| consumer`),
    ).toBe("6-14"));
});

test("undetermined: the order of siblings that the interval leaves open", () => {
  const local = (id: number, fromUs: number, toUs: number): SpanRow => ({
    trace: 1,
    id,
    parent: 2,
    startNs: fromUs * US,
    endNs: toUs * US,
    service: "front",
    host: "a",
  });
  const rows = Array.from({ length: 5 }, (_, i) => call(i + 1, 100, 100, 5000)).flat();
  const undetermined = (...siblings: SpanRow[]): boolean =>
    (assemble([...rows, ...siblings]).flags[2]! & SpanFlag.clockUndetermined) !== 0;
  // The server is applied at 200..800 µs, give or take 100.
  expect(undetermined(local(9, 110, 150))).toBe(true);
  expect(undetermined(local(9, 850, 880))).toBe(true);
  expect(undetermined(local(9, 400, 790))).toBe(true);
  expect(undetermined(local(9, 400, 500))).toBe(false);
});

test("law: an offset given to a host's clock is found and taken back, to within the interval", () => {
  const legs = fc.array(fc.tuple(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 90 })), {
    minLength: 5,
    maxLength: 30,
  });
  fc.assert(
    fc.property(legs, fc.integer({ min: -1_000_000, max: 1_000_000 }), (wire, aheadUs) => {
      const [skew] = assemble(wire.flatMap(([request, response], i) => call(i + 1, request, response, aheadUs))).skews;
      expect(skew!.lowNs).toBeLessThanOrEqual(-aheadUs * US);
      expect(skew!.highNs).toBeGreaterThanOrEqual(-aheadUs * US);
      expect(skew!.appliedNs).toBeGreaterThanOrEqual(skew!.lowNs);
      expect(skew!.appliedNs).toBeLessThanOrEqual(skew!.highNs);
      expect(skew!.violations).toBe(0);
    }),
    { numRuns: 300, seed: 6 },
  );
});
