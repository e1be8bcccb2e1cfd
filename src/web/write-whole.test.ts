import { execFileSync } from "node:child_process";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeWhole } from "./write-whole.ts";

let folder = "";
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "longpole-whole-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a new file, and one in the place of another; nothing is left beside it", async () => {
  const inside = join(folder, "plain");
  await mkdir(inside);
  await writeWhole(join(inside, "page.html"), "first, and longer");
  await writeWhole(join(inside, "page.html"), "second");
  expect(await readFile(join(inside, "page.html"), "utf8")).toBe("second");
  expect(await readdir(inside)).toEqual(["page.html"]);
});

test("a link stays a link, and what it names is written", async () => {
  const [file, link] = [join(folder, "target"), join(folder, "link")];
  await writeFile(file, "old");
  await symlink(file, link);
  await writeWhole(link, "new");
  expect((await lstat(link)).isSymbolicLink()).toBe(true);
  expect(await readFile(file, "utf8")).toBe("new");
});

test("a pipe gets the text and stays a pipe", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const [text] = await Promise.all([readFile(pipe, "utf8"), writeWhole(pipe, "through")]);
  expect(text).toBe("through");
  expect((await lstat(pipe)).isFIFO()).toBe(true);
});

test.each([
  ["a folder that is not there", "none/page.html", "no such folder"],
  ["a folder itself", "", "a folder"],
  ["a file for a folder", "target/page.html", "a file where a folder should be"],
])("%s is refused by name", async (_, name, found) => {
  await expect(writeWhole(join(folder, name), "x")).rejects.toThrow(
    `${join(folder, name)}: expected a writable file, found ${found}`,
  );
});
