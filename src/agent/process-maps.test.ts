import { expect, test } from "vitest";
import { parseMaps, ProcessMaps } from "./process-maps.ts";

const TEXT = `55d0c0000000-55d0c0001000 r--p 00000000 08:01 42 /usr/bin/a b
55d0c0001000-55d0c0003000 r-xp 00001000 08:01 42 /usr/bin/a b (deleted)
7f0000000000-7f0000001000 rwxp 00000000 00:00 0
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]
garbage
`;

test("executable parts alone, with the file as it was called", () => {
  expect(parseMaps(TEXT)).toEqual([
    { start: 0x55d0c0001000, end: 0x55d0c0003000, offset: 0x1000, path: "/usr/bin/a b", identity: "08:01:42" },
    { start: 0x7f0000000000, end: 0x7f0000001000, offset: 0, path: "", identity: "" },
    { start: 0x7ffd00000000, end: 0x7ffd00002000, offset: 0, path: "[vdso]", identity: "" },
  ]);
});

test("all parts, where all are wanted: data as well", () => {
  expect(parseMaps(TEXT, () => true).map(({ path }) => path)).toEqual(["/usr/bin/a b", "/usr/bin/a b", "", "[vdso]"]);
});

test("what was unmapped since is still known, unless something else lies there now", () => {
  const maps = new ProcessMaps();
  const one = (start: number, path: string) => ({ start, end: start + 0x1000, offset: 0, path, identity: "" });
  maps.add([one(0x1000, "/a"), one(0x3000, "/b")]);
  maps.add([one(0x3000, "/c")]);
  expect([0xfff, 0x1000, 0x1fff, 0x2000, 0x3000].map((at) => maps.find(at)?.path)).toEqual([
    undefined,
    "/a",
    "/a",
    undefined,
    "/c",
  ]);
});
