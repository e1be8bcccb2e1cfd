import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isUtf8, StringPool } from "./string-pool.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("StringPool", () => {
  test("equal bytes have equal ids, ids ascend from 1, 0 is the empty string", () => {
    const pool = new StringPool();
    const bytes = utf8("GET /a GET /b GET /a");
    expect(pool.internBytes(bytes, 0, 6)).toBe(1);
    expect(pool.internBytes(bytes, 7, 13)).toBe(2);
    expect(pool.internBytes(bytes, 14, 20)).toBe(1);
    expect(pool.internBytes(bytes, 3, 3)).toBe(0);
    expect(pool.intern("GET /b")).toBe(2);
    expect(pool.size).toBe(3);
    expect([0, 1, 2].map((id) => pool.get(id))).toEqual(["", "GET /a", "GET /b"]);
    expect(() => pool.get(3)).toThrow(RangeError);
  });

  test("behaves as a Map from string to number, whatever the mix of the two ways in", () => {
    const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: "grapheme", maxLength: 200 }));
    fc.assert(
      fc.property(fc.array(fc.tuple(text, fc.boolean(), fc.nat(3)), { maxLength: 300 }), (inputs) => {
        const pool = new StringPool();
        const model = new Map<string, number>([["", 0]]);
        for (const [value, asBytes, shift] of inputs) {
          const well = Buffer.from(value).toString();
          const encoded = utf8("x".repeat(shift) + well + "tail");
          const id = asBytes ? pool.internBytes(encoded, shift, encoded.length - 4) : pool.intern(value);
          if (!model.has(well)) model.set(well, model.size);
          expect(id).toBe(model.get(well));
          expect(pool.get(id)).toBe(well);
          expect(pool.equalsBytes(id, encoded, shift, encoded.length - 4)).toBe(true);
          expect(pool.equalsBytes(id, encoded, shift, encoded.length - 3)).toBe(false);
        }
        expect(pool.size).toBe(model.size);
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  test("100,000 strings survive growth", () => {
    const pool = new StringPool();
    // 100,000 calls of `expect` take a second.
    const ids = Int32Array.from({ length: 100_000 }, (_, i) => pool.intern(`SELECT * FROM t WHERE id = ${i}`));
    expect(ids.findIndex((id, i) => id !== i + 1)).toBe(-1);
    for (let i = 0; i < 100_000; i += 997) expect(pool.get(i + 1)).toBe(`SELECT * FROM t WHERE id = ${i}`);
  });

  test("any bytes read as TextDecoder reads them, and validity agrees with its fatal mode", () => {
    const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
    const strict = new TextDecoder("utf-8", { fatal: true });
    // Bytes near the edges of the encoding's ranges occur more often than by chance.
    const edge = fc.constantFrom(
      0x7f,
      0x80,
      0x8f,
      0x90,
      0x9f,
      0xa0,
      0xbf,
      0xc1,
      0xc2,
      0xdf,
      0xe0,
      0xed,
      0xef,
      0xf0,
      0xf4,
      0xf5,
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(edge, fc.nat(255)), { minLength: 1, maxLength: 12 }), (values) => {
        const bytes = Uint8Array.from(values);
        const pool = new StringPool();
        expect(pool.get(pool.internBytes(bytes, 0, bytes.length))).toBe(lenient.decode(bytes));
        let valid = true;
        try {
          strict.decode(bytes);
        } catch {
          valid = false;
        }
        expect(isUtf8(bytes, 0, bytes.length)).toBe(valid);
      }),
      { seed: 2, numRuns: 3000 },
    );
  });

  test("a string longer than one chunk of 4096 code units, surrogate pairs across the border", () => {
    const pool = new StringPool();
    const text = `${"a".repeat(4095)}\u{1f600}${"é".repeat(5000)}`;
    expect(pool.get(pool.internBytes(utf8(text), 0, utf8(text).length))).toBe(text);
  });

  test("forgets the array read last on request, and works on", () => {
    const pool = new StringPool();
    const bytes = utf8("abcdef");
    const id = pool.internBytes(bytes, 0, 6);
    pool.releaseSource();
    expect(pool.internBytes(bytes, 0, 6)).toBe(id);
  });

  test.each([0, 3, 99, 100, 300])("gives back the %i bytes of a string where they are wanted", (length) => {
    const pool = new StringPool();
    pool.intern("before");
    const id = pool.intern("x".repeat(length));
    const target = new Uint8Array(length + 4);
    expect(pool.lengthOf(id)).toBe(length);
    expect(pool.copyTo(id, target, 2)).toBe(length + 2);
    expect([...target]).toEqual([0, 0, ...Array.from({ length }, () => 120), 0, 0]);
  });
});
