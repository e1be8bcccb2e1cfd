import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MapEdge, MapNode, ServiceMap } from "../../model/page.ts";
import { foldMap } from "./fold-map.ts";
import { layOutMap } from "./lay-out-map.ts";

const node = (name: string, p99Ms: number): MapNode => ({ name, kind: "service", p99Ms, p50Ms: 0 });
const edge = (from: number, to: number, p99Ms: number): MapEdge => ({
  from,
  to,
  calls: 1,
  p99Ms,
  waitMs: 0,
  transitMs: 0,
});

describe("a folded map", () => {
  test("small services become one group per caller that is shown", () => {
    const map: ServiceMap = {
      nodes: [node("web", 1), node("big", 50), node("s1", 0.1), node("s2", 0.2), node("s3", 0.3)],
      edges: [edge(0, 1, 50), edge(1, 2, 0.1), edge(1, 3, 0.2), edge(0, 4, 0.3)],
    };
    const folded = foldMap(map, 2);
    expect(folded.nodes.map((held) => held.members)).toEqual([["web"], ["big"], ["s1", "s2"], ["s3"]]);
    expect(folded.nodes[2]).toMatchObject({ name: "2 others", p99Ms: expect.closeTo(0.3, 9) });
    expect(folded.edges).toContainEqual(expect.objectContaining({ from: 1, to: 2, p99Ms: expect.closeTo(0.3, 9) }));
  });

  const maps = fc.integer({ min: 1, max: 40 }).chain((count) =>
    fc.record({
      nodes: fc
        .array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: count, maxLength: count })
        .map((sizes) => sizes.map((size, i) => node(`n${i}`, size))),
      edges: fc
        .uniqueArray(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), {
          selector: ([a, b]) => `${a} ${b}`,
          maxLength: 60,
        })
        .map((pairs) => pairs.filter(([a, b]) => a !== b).map(([a, b]) => edge(a, b, 1))),
    }),
  );

  test("every service is in one node, and times add up, in circles too", () => {
    fc.assert(
      fc.property(maps, fc.integer({ min: 1, max: 40 }), (map, limit) => {
        const folded = foldMap(map, limit);
        expect(folded.nodes.flatMap((held) => held.members).toSorted()).toEqual(
          map.nodes.map((held) => held.name).toSorted(),
        );
        const sum = (nodes: readonly { p99Ms: number }[]): number =>
          nodes.reduce((total, held) => total + held.p99Ms, 0);
        expect(sum(folded.nodes)).toBeCloseTo(sum(map.nodes), 6);
      }),
    );
  });

  test("every layout has a place for each node and text", () => {
    fc.assert(
      fc.property(maps, (map) => {
        const folded = foldMap(map, 12);
        const { at, textAt } = layOutMap(
          folded,
          folded.edges.map((_, i) => (i % 2 === 0 ? "wait 3 ms" : "")),
        );
        expect(at.length).toBe(folded.nodes.length);
        for (const point of [...at, ...textAt]) expect(Number.isFinite(point.x + point.y)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
