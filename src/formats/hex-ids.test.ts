import { expect, test } from "vitest";
import { idHex } from "../model/span-table.ts";
import { readBase64Id, readHexId, readOpaqueId } from "./hex-ids.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function read(reader: typeof readHexId, text: string, words: number): string | undefined {
  const out = new Uint32Array(words + 2).fill(7);
  const source = bytes(`"${text}"`);
  const taken = reader(source, 1, source.length - 1, out, 1, words);
  expect([out[0], out[words + 1]]).toEqual([7, 7]);
  return taken ? idHex(out, 1, words) : undefined;
}

test.each([
  ["00f067aa0ba902b7", 2, "00f067aa0ba902b7"],
  ["00F067AA0ba902b7", 2, "00f067aa0ba902b7"],
  ["a", 2, "000000000000000a"],
  ["123456789", 2, "0000000123456789"],
  ["4bf92f3577b34da6a3ce929d0e0e4736", 4, "4bf92f3577b34da6a3ce929d0e0e4736"],
  ["ffffffffffffffff", 4, "0000000000000000ffffffffffffffff"],
  ["", 2, undefined],
  ["00f067aa0ba902b70", 2, undefined],
  ["00f067aa0ba902bg", 2, undefined],
  ["00f067aa0ba902bé", 2, undefined],
])("hex %s in %i words", (text, words, expected) => {
  expect(read(readHexId, text, words)).toBe(expected);
});

test.each([
  // base64 of bytes 00 f0 67 aa 0b a9 02 b7, padded and not
  ["APBnqgupArc=", 2, "00f067aa0ba902b7"],
  ["APBnqgupArc", 2, "00f067aa0ba902b7"],
  ["APBnqgupAg==", 2, undefined],
  ["AP nqgupArc=", 2, undefined],
])("base64 %s in %i words", (text, words, expected) => {
  expect(read(readBase64Id, text, words)).toBe(expected);
});

test("opaque ids: hex by value, other text by a hash that never changes, zero is none", () => {
  expect(read(readOpaqueId, "B1", 2)).toBe("00000000000000b1");
  expect(read(readOpaqueId, "0", 2)).toBeUndefined();
  expect(read(readOpaqueId, "", 2)).toBeUndefined();
  const names = Array.from({ length: 2000 }, (_, i) => `span-${i}`);
  expect(new Set(names.map((name) => read(readOpaqueId, name, 2))).size).toBe(2000);
  expect(read(readOpaqueId, "root", 4)).toBe(`0000000000000000${read(readOpaqueId, "root", 2)}`);
  // Pinned: files read with different versions must agree.
  expect(read(readOpaqueId, "root", 2)).toMatchInlineSnapshot(`"e9e6dc11585cf815"`);
});
