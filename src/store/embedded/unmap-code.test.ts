import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { codeOf, unmapCode } from "./unmap-code.ts";

const MAPS = `7f0000000000-7f0000001000 r--p 00000000 fe:00 12                         /opt/lib/libchdb.so
7f0000001000-7f0000004000 r-xp 00001000 fe:00 12                         /opt/lib/libchdb.so
7f0000004000-7f0000005000 rw-p 00004000 fe:00 12                         /opt/lib/libchdb.so
7f0000005000-7f0000006000 r-xp 00000000 fe:00 13                         /opt/lib/libchdb.so.old
7f0000006000-7f0000007000 rwxp 00000000 00:00 0
7f0000007000-7f0000009000 r-xp 00009000 fe:00 12                         /opt/lib/libchdb.so
`;

/** Kilobytes of this process' mapped files. */
const mapped = (): number => Number(/^RssFile:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]);

describe("unmapCode", () => {
  it("finds what is code of the library and never written to, and nothing else", () => {
    expect(codeOf("/opt/lib/libchdb.so", MAPS)).toEqual([
      { start: 0x7f0000001000, size: 0x3000 },
      { start: 0x7f0000007000, size: 0x2000 },
    ]);
  });

  it("gives up pages, and the program goes on", () => {
    const before = mapped();
    const bytes = unmapCode(process.execPath);
    const after = mapped();
    expect(bytes).toBeGreaterThan(2 ** 20);
    expect(after).toBeLessThan(before - 2048);
    // Code that is mapped again where it is needed.
    expect(JSON.parse(JSON.stringify({ a: [1, "x"] }))).toEqual({ a: [1, "x"] });
  });
});
