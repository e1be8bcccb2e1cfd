import { describe, expect, test } from "vitest";
import { FrameKind } from "../model/stack-table.ts";
import { stacksFromText } from "../testing/stacks-from-text.ts";
import { codeProfile } from "./code-profile.ts";
import { frameText } from "./frame-text.ts";
import { workClassOf } from "./work-class.ts";

const KINDS = {
  "(idle)": "idle",
  "(garbage collector)": "gc",
  "node:fs": "runtime",
  fsync: "native",
  writeString: "native",
  "RegExp: x": "native",
} as const;

test("a hungry service: shares of busy time, by class and function", () => {
  // 100 busy: 40 fsync, 10 write, 30 + 5 code, 15 collection; and 100 idle.
  const table = stacksFromText(
    `
    takeBatch@ingest.ts:90;parseLine@ingest.ts:42;RegExp: x 20
    takeBatch@ingest.ts:90;parseLine@ingest.ts:42;(anonymous)@ingest.ts:44 10
    (garbage collector) 15
    takeBatch@ingest.ts:90 5
    takeBatch@ingest.ts:90;writePoint@ingest.ts:60;fsyncSync@node:fs:1321;fsync 40
    takeBatch@ingest.ts:90;writePoint@ingest.ts:60;writeSync@node:fs:900;writeString 10
    (idle) 100`,
    { kinds: KINDS, isTimed: true },
  );
  const { total, busy, busySamples, classes } = codeProfile(table, table.samples.values[0]!);
  expect([total, busy, busySamples]).toEqual([200, 100, 6]);
  const told = classes.map(({ work, share, functions }) => [
    work,
    share,
    functions.map(
      (one) => `${frameText(table, one.frame)} ${one.share} ${frameText(table, one.inside)} ${one.insideShare}`,
    ),
  ]);
  expect(told).toEqual([
    ["fsync", 0.4, ["writePoint (ingest.ts:60) 0.4 fsync 1"]],
    [
      "code",
      0.35,
      [`parseLine (ingest.ts:42) 0.3 RegExp: x ${20 / 30}`, "takeBatch (ingest.ts:90) 0.05 takeBatch (ingest.ts:90) 1"],
    ],
    // Collection tells no caller, and one alone names nobody.
    ["gc", 0.15, []],
    ["write", 0.1, ["writePoint (ingest.ts:60) 0.1 writeString 1"]],
  ]);
  expect(classes.reduce((sum, one) => sum + one.value, 0)).toBe(busy);
});

test("a handler without a name that a library calls stands for itself; a library function, too", () => {
  const table = stacksFromText(`
    listen@/app/server.ts:3;next@/app/node_modules/express/index.js:9;(anonymous)@/app/server.ts:20 4
    listen@/app/server.ts:30;next@/app/node_modules/express/index.js:9;(anonymous)@/app/server.ts:20 3
    (anonymous)@/app/main.ts:1 2`);
  const { classes } = codeProfile(table, table.samples.values[0]!);
  expect(classes[0]!.functions.map((one) => frameText(table, one.frame))).toEqual([
    "(anonymous) (server.ts:20)",
    "(anonymous) (main.ts:1)",
  ]);
});

describe("what a frame tells", () => {
  test.each([
    ["fsyncSync", "node:fs", "runtime", "fsync"],
    ["fdatasyncSync", "node:fs", "runtime", "fsync"],
    ["appendFileSync", "node:fs", "runtime", "write"],
    ["readFileSync", "node:fs", "runtime", "read"],
    ["statSync", "node:fs", "runtime", "file"],
    ["writeGeneric", "node:internal/stream_base_commons", "runtime", undefined],
    // A program's own function of such a name is none.
    ["writeSync", "/app/log.ts", "user", undefined],
    ["os.(*File).Sync", "/usr/local/go/src/os/file.go", "runtime", "fsync"],
    ["__x64_sys_fsync", "[kernel.kallsyms]", "kernel", "fsync"],
    ["vfs_fsync_range", "[kernel.kallsyms]", "kernel", "fsync"],
    ["vfs_write", "[kernel.kallsyms]", "kernel", "write"],
    ["sys_write", "[kernel.kallsyms]", "kernel", "write"],
    ["ksys_pread64", "[kernel.kallsyms]", "kernel", "read"],
    ["sock_write_iter", "[kernel.kallsyms]", "kernel", "code"],
    ["__GI___fdatasync", "/lib/libc.so.6", "native", "fsync"],
    ["v8::internal::Heap::CollectGarbage", "/usr/bin/node", "native", "gc"],
    ["(garbage collector)", "", "gc", "gc"],
    ["writev", "", "native", undefined],
    ["rewrite", "/lib/libx.so", "native", undefined],
  ] as const)("%s of %s: %s", (name, file, kind, want) => {
    expect(workClassOf(name, file, FrameKind[kind])).toBe(want);
  });
});

test("how sure a share is: many equal samples, and two that stand for long", () => {
  const share = (picture: string): number[] => {
    const table = stacksFromText(picture, { type: "wall", kinds: KINDS });
    const gc = codeProfile(table, table.samples.values[0]!).classes.find(({ work }) => work === "gc")!;
    return [gc.share, Number(gc.leastShare.toFixed(4))];
  };
  const lines = (line: string, times: number): string => Array.from({ length: times }, () => line).join("\n");
  // Equal samples are the binomial's: 0.2 - 1.96 × sqrt(0.2 × 0.8 / 500).
  expect(share(`${lines("(garbage collector) 1", 100)}\n${lines("serve@a.ts:1 1", 400)}`)).toEqual([0.2, 0.1649]);
  // 0.2 - 1.96 × sqrt(2 × 50² × 0.8² + 400 × 0.2²) / 500, as good as nothing.
  expect(share(`${lines("(garbage collector) 50", 2)}\n${lines("serve@a.ts:1 1", 400)}`)).toEqual([0.2, 0]);
});
