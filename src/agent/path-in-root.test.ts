import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pathInRoot } from "./path-in-root.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "longpole-root-"));
  mkdirSync(join(root, "srv/releases/42"), { recursive: true });
  mkdirSync(join(root, "app"));
  writeFileSync(join(root, "srv/releases/42/main.js"), "");
  symlinkSync("/srv/releases/42", join(root, "app/current"));
  symlinkSync("../app/current", join(root, "srv/live"));
  symlinkSync("../../../../etc", join(root, "app/out"));
  symlinkSync("/app/round", join(root, "app/round"));
});
afterAll(() => rmSync(root, { recursive: true }));

test.each([
  ["/srv/releases/42/main.js", "/srv/releases/42/main.js"],
  ["/app/current/main.js", "/srv/releases/42/main.js"],
  ["/srv/live/../42/./main.js", "/srv/releases/42/main.js"],
  // Above the root is the root.
  ["/app/out/main.js", "/etc/main.js"],
  ["/../../etc/main.js", "/etc/main.js"],
  ["/app/absent/main.js", "/app/absent/main.js"],
])("%s is %s", (path, real) => {
  expect(pathInRoot(root, path)).toBe(real);
});

test("links in a circle are told", () => {
  expect(() => pathInRoot(root, "/app/round/main.js")).toThrow("/app/round/main.js: more than 40 links");
});
