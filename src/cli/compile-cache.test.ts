import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compileCacheFolder } from "./compile-cache.ts";

let home = "";
beforeAll(() => void (home = mkdtempSync(join(tmpdir(), "longpole-cache-"))));
afterAll(() => rmSync(home, { recursive: true }));

test("the caches of the user, where the platform has them", () => {
  expect(compileCacheFolder({}, "linux", home)).toBe(join(home, ".cache/longpole/compiled"));
  expect(compileCacheFolder({}, "darwin", home)).toBe(join(home, "Library/Caches/longpole/compiled"));
  const named = join(home, "caches");
  mkdirSync(named);
  expect(compileCacheFolder({ XDG_CACHE_HOME: named }, "linux", home)).toBe(join(named, "longpole/compiled"));
  // What is not absolute does not count, as the XDG specification has it: it would be a folder of the project.
  expect(compileCacheFolder({ XDG_CACHE_HOME: "caches" }, "linux", home)).toBe(join(home, ".cache/longpole/compiled"));
});

test("none where there is no home", () => {
  expect(compileCacheFolder({}, "linux", join(home, "absent"))).toBeUndefined();
});

test.skipIf(process.getuid?.() !== 0)("none in what belongs to somebody else", () => {
  const others = join(home, "others");
  mkdirSync(join(others, ".cache"), { recursive: true });
  chownSync(join(others, ".cache"), 12345, 12345);
  expect(compileCacheFolder({}, "linux", others)).toBeUndefined();
  // Put there by another, while the caches could be written to by all.
  const planted = join(home, "planted");
  mkdirSync(join(planted, "longpole", "compiled"), { recursive: true });
  expect(compileCacheFolder({ XDG_CACHE_HOME: planted }, "linux", home)).toBe(join(planted, "longpole/compiled"));
  chownSync(join(planted, "longpole"), 12345, 12345);
  expect(compileCacheFolder({ XDG_CACHE_HOME: planted }, "linux", home)).toBeUndefined();
});

test.skipIf(process.getuid === undefined)("none in what all may write to", () => {
  const open = join(home, "open");
  mkdirSync(open);
  chmodSync(open, 0o777);
  expect(compileCacheFolder({ XDG_CACHE_HOME: open }, "linux", home)).toBeUndefined();
  chmodSync(open, 0o755);
  expect(compileCacheFolder({ XDG_CACHE_HOME: open }, "linux", home)).toBe(join(open, "longpole/compiled"));
});
