import { expect, test } from "vitest";
import { normal, sampleOf } from "../testing/distributions.ts";
import {
  clopperPearsonInterval,
  fisherExact,
  mannWhitney,
  momentsOf,
  studentTest,
  twoProportions,
  welchTest,
  wilsonInterval,
} from "./hypothesis-tests.ts";
import { Random } from "./random.ts";

// Unless said otherwise the expected values are those of scipy 1.17 and statsmodels 0.15.

test.each([
  // Fisher's lady tasting tea: 17/70 one-sided, 34/70 two-sided
  { table: [3, 1, 1, 3], twoSided: 34 / 70, greater: 17 / 70, less: 69 / 70 },
  // Fisher's convictions of twins
  { table: [2, 15, 10, 3], twoSided: 0.0005367241191434358, greater: 0.9999845190186861, less: 0.00046518094336290503 },
  { table: [60, 40, 940, 8960], twoSided: 5.399048159405623e-35, greater: 5.399048159405623e-35, less: 1 },
  { table: [0, 10, 5, 10], twoSided: 0.06126482213438735, greater: 1, less: 0.05652173913043478 },
  { table: [1, 2, 3, 3], twoSided: 1, greater: 0.8809523809523809, less: 0.5952380952380952 },
  { table: [0, 0, 4, 5], twoSided: 1, greater: 1, less: 1 },
])("Fisher's exact test of $table", ({ table, twoSided, greater, less }) => {
  const [a, b, c, d] = table as [number, number, number, number];
  expect(fisherExact(a, b, c, d, "two-sided") / twoSided).toBeCloseTo(1, 8);
  expect(fisherExact(a, b, c, d, "greater") / greater).toBeCloseTo(1, 8);
  expect(fisherExact(a, b, c, d, "less") / less).toBeCloseTo(1, 8);
});

test("Fisher's test of every table of 12 with margins 5 and 6 is the sum of Pascal's numbers", () => {
  const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);
  const probability = (a: number) => (choose(6, a) * choose(6, 5 - a)) / choose(12, 5);
  for (let a = 0; a <= 5; a++) {
    let upper = 0;
    for (let x = a; x <= 5; x++) upper += probability(x);
    expect(fisherExact(a, 5 - a, 6 - a, 1 + a, "greater")).toBeCloseTo(upper, 12);
  }
});

test("two proportions: 56 of 70 against 48 of 80 (Newcombe's example, reversed)", () => {
  const { difference, low, high, pValue } = twoProportions(48, 80, 56, 70);
  expect(difference).toBeCloseTo(0.2, 12);
  expect(low).toBeCloseTo(0.05243147240236498, 9);
  expect(high).toBeCloseTo(0.33387265403690614, 9);
  expect(pValue).toBeCloseTo(0.00804508136819656, 10);
});

test.each([
  { k: 0, n: 10, wilson: [0, 0.27753279986288926], clopper: [0, 0.30849710781876083] },
  {
    k: 3,
    n: 10,
    wilson: [0.10779126740630104, 0.6032218525388546],
    clopper: [0.06673951117773447, 0.6524528500599973],
  },
  { k: 10, n: 10, wilson: [0.7224672001371106, 1], clopper: [0.6915028921812392, 1] },
  {
    k: 45,
    n: 1000,
    wilson: [0.03379951228563171, 0.059682837936223455],
    clopper: [0.03300962543114875, 0.0597528326934078],
  },
])("95 % intervals of $k of $n", ({ k, n, wilson, clopper }) => {
  expect(wilsonInterval(k, n, 0.95).low).toBeCloseTo(wilson[0]!, 10);
  expect(wilsonInterval(k, n, 0.95).high).toBeCloseTo(wilson[1]!, 10);
  expect(clopperPearsonInterval(k, n, 0.95).low).toBeCloseTo(clopper[0]!, 10);
  expect(clopperPearsonInterval(k, n, 0.95).high).toBeCloseTo(clopper[1]!, 10);
});

// Hollander & Wolfe's permeability constants, the example of R's wilcox.test: W = 35, p = 0.1272 one-sided
const A = Float64Array.of(0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46);
const B = Float64Array.of(1.15, 0.88, 0.9, 0.74, 1.21);

test("Mann–Whitney exact", () => {
  const { u, secondGreater, pValue } = mannWhitney(A, B);
  expect(u).toBe(35);
  expect(secondGreater).toBeCloseTo(0.3, 12);
  expect(pValue).toBeCloseTo(0.2544122544122544, 10);
});

test("Mann–Whitney with ties", () => {
  const c = Float64Array.of(1, 2, 2, 3, 3, 3, 4, 5, 6, 7, 8, 8, 9);
  const d = Float64Array.of(3, 4, 4, 5, 5, 6, 7, 8, 9, 9, 10, 11, 12, 12);
  expect(mannWhitney(c, d).u).toBe(43.5);
  expect(mannWhitney(c, d).pValue).toBeCloseTo(0.021949269040760475, 10);
  expect(mannWhitney(new Float64Array(5).fill(1), new Float64Array(6).fill(1)).pValue).toBe(1);
});

test("Welch and Student", () => {
  expect(welchTest(momentsOf(A), momentsOf(B))).toBeCloseTo(0.06210134378107847, 10);
  expect(studentTest(momentsOf(A), momentsOf(B))).toBeCloseTo(0.13225051067782642, 10);
});

test("means without variance: different is certain, equal is not", () => {
  const three = momentsOf(Float64Array.of(3, 3, 3));
  expect(welchTest(three, momentsOf(Float64Array.of(4, 4)))).toBe(0);
  expect(welchTest(three, three)).toBe(1);
  expect(welchTest(three, momentsOf(Float64Array.of(4)))).toBe(1);
});

test("false alarms at p = 0.05 stay below the 99.9 % bound of the binomial: 1000 pairs of equal samples", () => {
  const random = new Random(1);
  let welch = 0;
  let ranks = 0;
  for (let i = 0; i < 1000; i++) {
    const a = sampleOf(30, () => normal(random));
    const b = sampleOf(12, () => normal(random));
    if (welchTest(momentsOf(a), momentsOf(b)) <= 0.05) welch++;
    if (mannWhitney(a, b).pValue <= 0.05) ranks++;
  }
  // 50 expected, standard deviation 6.9
  expect(welch).toBeLessThanOrEqual(72);
  expect(ranks).toBeLessThanOrEqual(72);
});
