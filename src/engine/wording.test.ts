import { expect, test } from "vitest";
import { count, ms, percent, plural } from "./wording.ts";

test.each([
  [0, "0 ms"],
  [340e3, "340 µs"],
  [999_600, "1.00 ms"],
  [8.15e6, "8.15 ms"],
  [24e6, "24.0 ms"],
  [99.96e6, "100 ms"],
  [999.6e6, "1.00 s"],
  [12.34e9, "12.3 s"],
])("%i ns read as %s", (ns, text) => {
  expect(ms(ns)).toBe(text);
});

test("one and many", () => {
  expect([plural(1, "pair"), plural(2660, "call"), plural(0, "call")]).toEqual(["1 pair", "2,660 calls", "0 calls"]);
  expect([count(5848), count(2.5), percent(0.005), percent(0)]).toEqual(["5,848", "2.5", "0.5 %", "0 %"]);
});
