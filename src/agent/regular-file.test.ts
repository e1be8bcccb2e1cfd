import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readElf } from "./elf-file.ts";
import { PerfMapFile } from "./perf-map.ts";
import { readRegular } from "./regular-file.ts";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "longpole-regular-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.runIf(process.platform === "linux")("a pipe in the place of a file is refused, and not waited for", () => {
  const pipe = join(folder, "pipe");
  expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
  expect(() => readRegular(pipe, 100)).toThrow(/pipe: no regular file/);
  expect(() => new PerfMapFile(pipe).read()).toThrow(/no regular file/);
  expect(() => readElf(pipe, "program")).toThrow(/no regular file/);
  expect(() => readRegular("/dev/zero", 100)).toThrow(/\/dev\/zero: no regular file/);
});

test("a file is read up to its size, and what is longer is refused by its size", () => {
  const path = join(folder, "package.json");
  writeFileSync(path, "12345");
  expect(readRegular(path, 5)).toBe("12345");
  expect(() => readRegular(path, 4)).toThrow(/5 bytes; at most 4 are read/);
  expect(() => readRegular(join(folder, "none"), 4)).toThrow(/ENOENT/);
});
