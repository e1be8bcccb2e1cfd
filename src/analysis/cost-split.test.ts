import fc from "fast-check";
import { expect, test } from "vitest";
import { splitCost, type SharedUse } from "./cost-split.ts";

const use = (used: number[], background: number, ...work: number[][]): SharedUse => ({
  used: Float64Array.from(used),
  background,
  work: work.map((of) => Float64Array.from(of)),
});

test("by hand: two cores, of which a half is nobody's, in the proportion of the work", () => {
  // Mean of use 2, less 0.5: 1.5, of which 30 of 40 parts of work go to the first class.
  const { perClass, unattributed, total } = splitCost([use([1, 3], 0.5, [10, 20], [4, 6])], 2, 1);
  expect(perClass.map(({ value }) => value)).toEqual([1.125, 0.375]);
  expect([unattributed, total]).toEqual([0.5, 2]);
});

test("a resource that nobody works on is unattributed, a block that is not known counts for nothing", () => {
  const idle = use([1, 1], 0, [0, 0]);
  expect(splitCost([idle], 1, 1)).toMatchObject({ unattributed: 1, total: 1, perClass: [{ value: 0 }] });
  const gap = use([2, Number.NaN], 0, [1, 1000]);
  expect(splitCost([gap], 1, 1)).toMatchObject({ unattributed: 0, total: 2, perClass: [{ value: 2 }] });
});

test("a split that is the same at all times has an interval of no width, one that changes a wide one", () => {
  const [steady] = splitCost([use([2, 2, 2, 2], 0, [1, 1, 1, 1], [1, 1, 1, 1])], 2, 1).perClass;
  expect(steady).toEqual({ value: 1, low: 1, high: 1 });
  const [wide] = splitCost([use([2, 2, 2, 2], 0, [2, 0, 2, 0], [0, 2, 0, 2])], 2, 1).perClass;
  expect(wide!.low).toBeLessThan(0.6);
  expect(wide!.high).toBeGreaterThan(1.4);
});

test("parts and what is unattributed sum to what was used, whatever it is", () => {
  const amount = fc.double({ min: 0, max: 1e6, noNaN: true });
  const maybe = fc.oneof({ weight: 9, arbitrary: amount }, { weight: 1, arbitrary: fc.constant(Number.NaN) });
  const resource = fc.record({
    used: fc.array(maybe, { minLength: 4, maxLength: 4 }),
    background: amount,
    work: fc.array(fc.array(amount, { minLength: 4, maxLength: 4 }), { minLength: 3, maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(resource, { maxLength: 3 }), (resources) => {
      const split = splitCost(
        resources.map(({ used, background, work }) => use(used, background, ...work)),
        3,
        1,
      );
      const sum = split.perClass.reduce((all, { value }) => all + value, split.unattributed);
      expect(Math.abs(sum - split.total)).toBeLessThanOrEqual(1e-9 * Math.max(1, split.total));
      for (const { value, low, high } of split.perClass) {
        expect(low).toBeLessThanOrEqual(value);
        expect(high).toBeGreaterThanOrEqual(value);
      }
    }),
    { numRuns: 100, seed: 1 },
  );
});
