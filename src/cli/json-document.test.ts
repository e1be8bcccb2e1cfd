import fc from "fast-check";
import { expect, test } from "vitest";
import { sampleReport } from "../testing/sample-report.ts";
import { jsonDocument } from "./json-document.ts";

const joined = (value: object): string => [...jsonDocument(value)].join("");

test.each([
  ["a report", sampleReport()],
  ["nothing", {}],
  ["nothing that is defined", { a: undefined }],
  ["absences", { a: undefined, b: null, c: [], d: {}, e: [undefined, null, [], {}] }],
  ["no numbers", { a: Number.NaN, b: [Infinity] }],
  ["texts", { "a\nb": ["line\nline", "\ud800", '"'], c: "\u2028" }],
])("%s: as JSON.stringify", (_, value) => expect(joined(value)).toBe(`${JSON.stringify(value, null, 2)}\n`));

test("any document: as JSON.stringify", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      expect(joined(value)).toBe(`${JSON.stringify(value, null, 2)}\n`);
    }),
    { seed: 1 },
  );
});

test("comes in pieces, none much longer than a megabyte", () => {
  const value = { rows: Array.from({ length: 30_000 }, (_, i) => ({ i, text: "x".repeat(100) })) };
  const pieces = [...jsonDocument(value)];
  expect(pieces.length).toBeGreaterThan(3);
  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(1.1 * 2 ** 20);
  expect(JSON.parse(pieces.join(""))).toEqual(value);
});
