import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readProcess, type TargetProcess } from "../target-process.ts";
import { hotLines } from "./source-lines.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "longpole-source-"));
  writeFileSync(join(folder, "secret.txt"), "secret\n");
  symlinkSync("secret.txt", join(folder, "link.js"));
  writeFileSync(join(folder, "huge.js"), "");
  truncateSync(join(folder, "huge.js"), 1 << 30);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What is said of the lines of such a file, none of which is shown. */
function remark(file: string, target: TargetProcess): string | undefined {
  const [found] = hotLines([{ name: "f", file, samples: 30, lines: new Map([[7, 30]]) }], target);
  expect(found!.lines).toEqual([{ line: 7, share: 1, text: null }]);
  return found!.remark;
}

describe.runIf(process.platform === "linux")("files that are not shown", () => {
  const own = (): TargetProcess => readProcess(process.pid)!;

  test.each([
    ["absent.js", "absent.js: not there"],
    ["link.js", "link.js: no source of JavaScript or TypeScript"],
    ["secret.txt", "secret.txt: no source of JavaScript or TypeScript"],
    ["huge.js", "huge.js: 1073741824 bytes; at most 2097152 are read"],
    [".", ": no source of JavaScript or TypeScript"],
  ])("%s", (name, said) => {
    expect(remark(join(folder, name), own())).toMatch(said);
  });

  test("a pipe is not waited for", () => {
    const pipe = join(folder, "pipe.js");
    expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
    expect(remark(pipe, own())).toBe(`${pipe}: no regular file`);
  });

  test("of a process that has ended it is said that it has", () => {
    const later = { ...own(), startTicks: own().startTicks - 1 };
    const file = join(folder, "absent.js");
    expect(remark(file, later)).toBe(
      `${file}: process ${process.pid} has ended, and its files cannot be seen any more`,
    );
  });
});
