import { expect, test } from "vitest";
import { parseKallsyms } from "./kernel-symbols.ts";

test("the function at or below an address; parts made by the compiler belong to it", () => {
  const symbols = parseKallsyms(
    "ffffffff81000000 T _stext\nffffffff81000100 t vfs_write.constprop.0\nffffffff81000180 d data\nffffffffc0000000 t mod_f\t[mod]\n",
  );
  expect(symbols.count).toBe(3);
  expect(symbols.find(-0x7f000001)).toBeUndefined();
  expect(symbols.find(-0x7effff00)).toBe("vfs_write");
  expect(symbols.find(-0x7efffe01)).toBe("vfs_write");
  expect(symbols.find(-0x3ffffff0)).toBe("mod_f");
});

test("without the right to see addresses all are zero, and nothing has a name", () => {
  expect(parseKallsyms("0000000000000000 T _stext\n0000000000000000 T vfs_write\n").count).toBe(0);
});
