import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

/**
 * Holds arrays of 64 KiB, which the C library takes from its own heap, frees all but the last, and tells the kilobytes of its
 * own before and after. A process of its own, so that nobody else frees.
 */
const PROGRAM = `
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { trimHeap } from ${JSON.stringify(fileURLToPath(new URL("trim-heap.ts", import.meta.url)))};
const own = () => Number(/^RssAnon:\\s+(\\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))[1]);
let held = Array.from({ length: 1600 }, () => new Uint8Array(65536).fill(1));
held = [held.at(-1)];
globalThis.gc();
await sleep(300);
const before = own();
trimHeap();
console.log(JSON.stringify({ before, after: own(), held: held.length }));
`;

it("gives back what was freed below something that is still held", () => {
  const words = ["--expose-gc", "--import", "tsx", "--input-type=module", "-e", PROGRAM];
  const { before, after } = JSON.parse(execFileSync(process.execPath, words, { encoding: "utf8" })) as {
    before: number;
    after: number;
  };
  // 1,600 times 64 KiB are 102,400 kB.
  expect(before - after).toBeGreaterThan(50_000);
});
