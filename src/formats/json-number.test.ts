import fc from "fast-check";
import { expect, test } from "vitest";
import { Decimal64, DecimalOutcome, parseDouble } from "./json-number.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function decimal(text: string, shift = 0): bigint | DecimalOutcome {
  const number = new Decimal64();
  const source = bytes(`[${text}]`);
  const outcome = number.parse(source, 1, source.length - 1, shift);
  if (outcome !== DecimalOutcome.ok) return outcome;
  const magnitude = (BigInt(number.high) << 32n) | BigInt(number.low);
  return number.negative ? -magnitude : magnitude;
}

test.each<[string, number, bigint | DecimalOutcome]>([
  ["0", 0, 0n],
  ["-0", 0, 0n],
  ["4294967296", 0, 4294967296n],
  ["1544712660300000001", 0, 1544712660300000001n],
  ["18446744073709551615", 0, 18446744073709551615n],
  ["18446744073709551616", 0, DecimalOutcome.outOfRange],
  ["99999999999999999999", 0, DecimalOutcome.outOfRange],
  ["00000000000000000000000007", 0, 7n],
  ["1e18", 0, 1000000000000000000n],
  ["1.5e3", 0, 1500n],
  ["1.5E+3", 0, 1500n],
  ["15e-1", 0, 1n],
  ["0.0001", 0, 0n],
  ["1e20", 0, DecimalOutcome.outOfRange],
  ["1e999999999", 0, DecimalOutcome.outOfRange],
  ["0e999999999", 0, 0n],
  ["1e-999999999", 0, 0n],
  ["-5", 0, -5n],
  ["-1.25", 3, -1250n],
  ["1544712660300000", 3, 1544712660300000000n],
  ["1544712660300000.5", 3, 1544712660300000500n],
  ["18446744073709551", 3, 18446744073709551000n],
  ["18446744073709552", 3, DecimalOutcome.outOfRange],
  ["1544712660300", 6, 1544712660300000000n],
  ["", 0, DecimalOutcome.notANumber],
  ["-", 0, DecimalOutcome.notANumber],
  ["abc", 0, DecimalOutcome.notANumber],
  ["12x", 0, DecimalOutcome.notANumber],
  ["0x10", 0, DecimalOutcome.notANumber],
  [" 1", 0, DecimalOutcome.notANumber],
])("%s times 10^%i", (text, shift, expected) => {
  expect(decimal(text, shift)).toBe(expected);
});

test("integers agree with BigInt", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.integer({ min: 0, max: 6 }), (value, shift) => {
      const expected = value * 10n ** BigInt(shift);
      expect(decimal(String(value), shift)).toBe(expected < 1n << 64n ? expected : DecimalOutcome.outOfRange);
    }),
  );
});

test("doubles agree with Number", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = JSON.stringify(value);
      expect(parseDouble(bytes(text), 0, text.length)).toBe(Number(text));
    }),
  );
  fc.assert(
    fc.property(fc.stringMatching(/^-?[0-9]{1,12}(\.[0-9]{1,18})?$/), (text) => {
      expect(parseDouble(bytes(text), 0, text.length)).toBe(Number(text));
    }),
  );
});

test.each(["", "-", ".5", "5.", "1e", "+1", "0x1", "Inf", "nan", "1 "])("%j is no double", (text) => {
  expect(parseDouble(bytes(text), 0, text.length)).toBeUndefined();
});

test("the three that JSON has no number for", () => {
  expect(["NaN", "Infinity", "-Infinity"].map((text) => parseDouble(bytes(text), 0, text.length))).toEqual([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]);
});
