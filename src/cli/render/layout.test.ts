import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ratioBar, shares } from "./bar.ts";
import { clip, clipMiddle, columns, wrap } from "./layout.ts";
import { difference, duration, fromTo, percent, range, rate, span } from "./numbers.ts";
import { safeText } from "./safe-text.ts";

describe("wrap", () => {
  test.each([
    ["breaks at spaces", "one two three", 8, ["one two", "three"]],
    ["keeps a number with its unit", "it took 412 ms here", 12, ["it took", "412 ms here"]],
    ["breaks a word that is longer than a line", "abcdefgh", 3, ["abc", "def", "gh"]],
    ["counts wide characters twice", "注文 注文", 4, ["注文", "注文"]],
    ["never cuts an emoji", "👩‍👩‍👧👩‍👩‍👧", 3, ["👩‍👩‍👧", "👩‍👩‍👧"]],
    ["nothing", "", 10, []],
  ])("%s", (_, text, width, expected) => {
    expect(wrap(text, width)).toEqual(expected);
  });

  test("tells how much was left out", () => {
    // Of 44 characters 15 + 1 + 5 are shown: the second line gives way to the remark.
    expect(wrap("aaaaa bbbbb ccc ddddd eeeee fffff ggggg hhhh", 15, 2)).toEqual(["aaaaa bbbbb ccc", "ddd … +25 chars"]);
  });

  test("loses nothing but spaces and is never wider", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.integer({ min: 4, max: 40 }), (raw, width) => {
        const text = safeText(raw);
        const lines = wrap(text, width);
        expect(lines.join("").replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
        expect(lines.every((line) => columns(line) <= width)).toBe(true);
      }),
      { seed: 1 },
    );
  });
});

test.each([
  ["abcdef", 6, "abcdef", "abcdef"],
  ["abcdefgh", 5, "abcd…", "ab…gh"],
  ["注文サービス", 7, "注文サ…", "注…ス"],
])("clip %s to %i", (text, width, end, middle) => {
  expect(clip(text, width)).toBe(end);
  expect(columns(clipMiddle(text, width))).toBeLessThanOrEqual(width);
  expect(clipMiddle(text, width)[0]).toBe(middle[0]);
});

test.each([
  [0, "0 ms"],
  [0.42, "420 µs"],
  [0.0004, "0.40 µs"],
  [5.1, "5.10 ms"],
  [60.2, "60.2 ms"],
  [99.96, "100 ms"],
  [412.4, "412 ms"],
  [999.6, "1.00 s"],
  [1840, "1.84 s"],
  [3_600_000, "3,600 s"],
])("duration(%f)", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test("figures", () => {
  expect(fromTo(1840, 88)).toBe("1.84 → 0.09 s");
  expect(range(27, 36.04)).toBe("27.0–36.0 ms");
  expect([difference(57), difference(-0.4)]).toEqual(["+57.0 ms", "−400 µs"]);
  expect([percent(0), percent(0.00001), percent(0.0012), percent(0.046), percent(0.68), percent(1)]).toEqual([
    "0 %",
    "< 0.01 %",
    "0.12 %",
    "4.6 %",
    "68 %",
    "100 %",
  ]);
  expect([rate(166.7), rate(2.333)]).toEqual(["167/s", "2.33/s"]);
  expect([span(80_000), span(3_900_000), span(500)]).toEqual(["1 min 20 s", "1 h 5 min", "500 ms"]);
});

test("columns are dealt out by largest remainder, each part gets one, and they add up", () => {
  expect(shares([50, 30, 20], 10)).toEqual([5, 3, 2]);
  expect(shares([997, 1, 1, 1], 10)).toEqual([7, 1, 1, 1]);
  expect(shares([0, 1], 5)).toEqual([0, 5]);
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 30 }), (values) => {
      const dealt = shares(values, 40);
      if (values.some((value) => value > 0)) expect(dealt.reduce((a, b) => a + b, 0)).toBe(40);
      expect(dealt.every((value) => value >= 0)).toBe(true);
    }),
    { seed: 3 },
  );
});

test("a bar is exact to an eighth", () => {
  expect([ratioBar(0, 2), ratioBar(1 / 16, 2), ratioBar(0.75, 2), ratioBar(2, 2)]).toEqual(["  ", "▏ ", "█▌", "██"]);
});

test.each([
  ["\u001b[2J", "\\x1b[2J"],
  ["a\r\nb\tc", "a b c"],
  ["\u009b31m", "\\x9b31m"],
  ["\u202eexe.txt", "\\u{202e}exe.txt"],
  ["\ud800", "\ufffd"],
  ["naïve 🐘 注文", "naïve 🐘 注文"],
])("safeText %j", (text, expected) => {
  expect(safeText(text)).toBe(expected);
  // What stands behind letters and single spaces, which are passed at once.
  expect(safeText(`a plain text: ${text}.`)).toBe(`a plain text: ${expected}.`);
});
