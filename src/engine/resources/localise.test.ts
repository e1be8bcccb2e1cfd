import { describe, expect, test } from "vitest";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { localise, type Localisation, type ServiceGraph } from "./localise.ts";
import { readMeasures } from "./read-measures.ts";
import { byService, type ServiceMeasures } from "./service-measures.ts";

/** Mean durations in ms per minute, and 10 requests per second each. */
function system(
  durations: Record<string, readonly number[]>,
  availability: Record<string, readonly number[]> = {},
): ServiceMeasures {
  const series: SeriesObject[] = Object.entries(durations).flatMap(([service, values]): SeriesObject[] => {
    const resource = { "service.name": service };
    const points = (of: (value: number, i: number) => number): [number, number][] =>
      values.map((value, i) => [60 * i, of(value, i)]);
    return [
      {
        name: "http.server.request.duration.mean",
        unit: "ms",
        kind: "gauge",
        resource,
        points: points((value) => value),
      },
      { name: "http.server.request.rate", unit: "{request}/s", kind: "gauge", resource, points: points(() => 10) },
      {
        name: "http.server.availability",
        unit: "1",
        kind: "gauge",
        resource,
        points: points((_, i) => availability[service]?.[i] ?? 1),
      },
    ];
  });
  return byService(readMeasures(metricTableOf(...series)));
}

const graph = (...edges: [client: string, server: string][]): ServiceGraph => ({
  edges: edges.map(([client, server]) => ({ client, server, rate: 10 })),
});
const steady = (level: number): number[] => Array.from({ length: 30 }, (_, i) => level * (1 + 0.02 * ((i * 7) % 5)));
const before = system({ web: steady(100), cart: steady(40), db: steady(10), side: steady(50) });
const shop = graph(["web", "cart"], ["cart", "db"], ["web", "side"]);
const roots = (found: readonly Localisation[]): (string | number)[][] =>
  found.map(({ symptom, roots: all }) => [symptom.of, symptom.service, ...all.map(({ excess }) => excess.service)]);

describe("durations", () => {
  test("nothing where nothing changed", () => {
    const now = system({ web: [101, 103, 102], cart: [41, 40, 42], db: [10, 10, 10], side: [51, 50, 52] });
    expect(localise(now, before, shop)).toEqual([]);
  });
  test("the deepest service that explains it", () => {
    // web + 60, cart + 60, db + 60: all of it is the database's.
    const now = system({ web: [160, 162, 161], cart: [100, 102, 101], db: [70, 71, 70], side: [50, 51, 50] });
    expect(roots(localise(now, before, shop))).toEqual([["duration", "web", "db"]]);
  });
  test("a callee that explains a part only leaves its caller as the root", () => {
    // cart + 60, of which the database has 5.
    const now = system({ web: [160, 162, 161], cart: [100, 102, 101], db: [15, 15, 15], side: [50, 51, 50] });
    const [found] = localise(now, before, shop);
    expect(found!.roots[0]!.excess.service).toBe("cart");
    expect(found!.roots[0]!.share).toBeCloseTo(55 / 60, 1);
  });
  test("what was as slow without the symptom did not cause it", () => {
    // side is slower than in the baseline all the time; cart only in the two bad minutes.
    const now = system({
      web: [101, 101, 165, 163, 102],
      cart: [41, 41, 104, 102, 41],
      db: [10, 10, 10, 10, 10],
      side: [300, 301, 300, 302, 300],
    });
    expect(roots(localise(now, before, shop))).toEqual([["duration", "web", "cart"]]);
  });
  test("a slow service that no symptom leads to is none", () => {
    const now = system({ web: [160, 162, 161], cart: [100, 102, 101], db: [10, 10, 10], side: [50, 51, 50] });
    const apart = system({ web: [101, 102, 100], cart: [41, 40, 41], db: [900, 900, 900], side: [50, 51, 50] });
    expect(roots(localise(now, before, graph(["web", "cart"], ["other", "db"])))).toEqual([
      ["duration", "web", "cart"],
    ]);
    expect(roots(localise(apart, before, shop))).toEqual([]);
  });
  test("circles in the graph end", () => {
    const now = system({ web: [160, 162, 161], cart: [100, 102, 101], db: [70, 71, 70], side: [50, 51, 50] });
    const circle = graph(["web", "cart"], ["cart", "db"], ["db", "cart"], ["cart", "web"], ["web", "web"]);
    expect(localise(now, before, circle).length).toBeLessThanOrEqual(1);
  });
});

test("failures come up from below as well", () => {
  const same = { web: [101, 103, 102], cart: [41, 40, 42], db: [10, 10, 10], side: [51, 50, 52] };
  const now = system(same, { web: [0.9, 0.91, 0.9], cart: [0.9, 0.9, 0.9], db: [1, 1, 1] });
  expect(roots(localise(now, before, shop))).toEqual([["failures", "web", "cart"]]);
});

test("one window, and no graph at all", () => {
  const now = system({ web: [160], cart: [100], db: [10], side: [50] });
  expect(localise(now, before, shop)[0]!.roots[0]!.excess.service).toBe("cart");
  expect(localise(now, before, { edges: [] })[0]!.symptom.of).toBe("duration");
});
