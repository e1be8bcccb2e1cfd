import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { PAGE_BYTES, pageSize } from "./page-size.ts";

const words = (...values: readonly number[]): Uint8Array =>
  new Uint8Array(BigUint64Array.from(values, (value) => BigInt(value)).buffer);

test("the size of a page as the kernel told it, whatever stands before it", () => {
  // AT_HWCAP 16, AT_PAGESZ 6, AT_CLKTCK 17, AT_NULL 0.
  expect(pageSize(words(16, 6, 6, 65_536, 17, 100, 0, 0))).toBe(65_536);
  expect(pageSize(words(6, 4096, 0, 0))).toBe(4096);
});

test("nothing where it is not told, or the text ends in the middle", () => {
  expect(pageSize(words(16, 6, 0, 0))).toBeUndefined();
  expect(pageSize(words(16, 1, 6))).toBeUndefined();
  expect(pageSize(words(6, 4096).subarray(0, 12))).toBeUndefined();
  expect(pageSize(new Uint8Array())).toBeUndefined();
});

test("a part of a larger piece of memory, at any place in it, is read by itself", () => {
  const whole = new Uint8Array([9, ...words(6, 4096), ...words(6, 16_384, 0, 0)]);
  expect(pageSize(Buffer.from(whole.buffer, 17))).toBe(16_384);
  expect(pageSize(whole.subarray(17))).toBe(16_384);
});

// Elsewhere nobody asks for it.
test.runIf(process.platform === "linux")("that of this machine is what getconf says", () => {
  expect(PAGE_BYTES).toBe(Number(execFileSync("getconf", ["PAGESIZE"], { encoding: "utf8" })));
});
