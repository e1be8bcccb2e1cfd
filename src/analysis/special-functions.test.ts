import { expect, test } from "vitest";
import * as special from "./special-functions.ts";

// Expected values by scipy 1.17.

/** Difference in units of `relative` times the expected value. */
function error(actual: number, expected: number, relative: number): number {
  return Math.abs(actual - expected) / (relative * Math.abs(expected) || 1e-15);
}

test.each([
  [0.5, 0.5723649429247],
  [1, 0],
  [3.7, 1.428072326665388],
  [10, 12.801827480081469],
  [171.5, 709.1431630309283],
  [1e6, 12815504.569147611],
])("logGamma(%d)", (x, expected) => {
  expect(error(special.logGamma(x), expected, 1e-13)).toBeLessThan(1);
});

test.each([
  [0.4, 2, 3, 0.5247999999999999],
  [0.1, 0.5, 0.5, 0.20483276469913345],
  [0.35, 50, 70, 0.06702822499985296],
  [0.5, 5000, 5200, 0.9761729147301896],
  [0.9999, 1e5, 3, 0.0027680339601161104],
  [1e-4, 0.5, 30, 0.061487458408771414],
])("incompleteBeta(%d, %d, %d)", (x, a, b, expected) => {
  expect(error(special.incompleteBeta(x, a, b), expected, 1e-9)).toBeLessThan(1);
  expect(error(special.incompleteBetaInverse(expected, a, b), x, 1e-9)).toBeLessThan(1);
});

test.each([
  [0.5, 0.3, 0.4385780260809997],
  [0.5, 40, 3.744097384202887e-19],
  [3, 2, 0.6766764161830634],
  [10, 20, 0.0049954123083075785],
  [100, 80, 0.9828916869648668],
])("upperIncompleteGamma(%d, %d)", (a, x, expected) => {
  expect(error(special.upperIncompleteGamma(a, x), expected, 1e-8)).toBeLessThan(1);
});

test.each([
  [-3, 0.9986501019683699],
  [0, 0.5],
  [1.96, 0.024997895148220435],
  [10, 7.61985302416047e-24],
  [30, 4.906713927147908e-198],
])("normalUpperTail(%d)", (z, expected) => {
  expect(error(special.normalUpperTail(z), expected, 1e-11)).toBeLessThan(1);
  expect(error(special.normalUpperQuantile(expected), z, 1e-9)).toBeLessThan(1);
});

test.each([
  [2, 5, 0.050969739414929174],
  [0.5, 1, 0.35241638234956674],
  [4, 30.5, 0.00018668972513020198],
  [10, 3, 0.0010641995292070751],
  [3.3, 1000, 0.000500498362501045],
])("Student's |t| > %d with %d degrees: twice the upper tail", (t, freedom, upper) => {
  expect(error(special.studentTwoSided(t, freedom), 2 * upper, 1e-9)).toBeLessThan(1);
});
