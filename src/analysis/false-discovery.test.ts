import fc from "fast-check";
import { expect, test } from "vitest";
import { benjaminiHochberg, benjaminiYekutieli } from "./false-discovery.ts";

// The 15 p-values of Benjamini & Hochberg 1995, section 4.1; adjusted by statsmodels 0.15 multipletests.
const P = Float64Array.from([
  0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1,
]);

test("the paper's example: four hypotheses are rejected at 0.05 (Bonferroni: three)", () => {
  expect(benjaminiHochberg(P).filter((q) => q <= 0.05).length).toBe(4);
});

test("adjusted values agree with statsmodels", () => {
  const bh = [0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.0638571428571, 0.0638571428571, 0.0645, 0.0765, 0.486];
  const by = [0.00497734348984, 0.00995468697968, 0.0315231754357, 0.118211907884, 0.200089208292, 0.211892622853];
  bh.forEach((q, i) => expect(benjaminiHochberg(P)[i]).toBeCloseTo(q, 10));
  by.forEach((q, i) => expect(benjaminiYekutieli(P)[i]).toBeCloseTo(q, 10));
});

test("property: order of the hypotheses is irrelevant; adjusted values are between p and 1", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 }), (list) => {
      const p = Float64Array.from(list);
      const adjusted = benjaminiHochberg(p);
      expect(benjaminiHochberg(p.toReversed())).toEqual(adjusted.toReversed());
      adjusted.forEach((q, i) => expect(q >= p[i]! * (1 - 1e-12) && q <= 1).toBe(true));
    }),
  );
});
