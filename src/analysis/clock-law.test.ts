import { expect, test } from "vitest";
import { clockLaw } from "./clock-law.ts";

test.each([
  ["two processors", 2.02, 2, true],
  ["milliseconds taken for seconds", 2021, 2, false],
  ["a loop whose nanoseconds were divided once too often", 0.001, 1, false],
  ["hundredths of a second", 200, 2, false],
  ["three processes under one name", 3, 1, true],
  ["a window cut short", 0.8, 1, true],
  ["not known", Number.NaN, 1, true],
])("%s", (_, seconds, expected, ok) => {
  expect(clockLaw("processors of box", seconds, expected).ok).toBe(ok);
});

test("the error and the detail say by how much", () => {
  expect(clockLaw("processors of box", 3, 1)).toMatchObject({
    error: 2,
    detail: expect.stringContaining("3 s in all"),
  });
});
