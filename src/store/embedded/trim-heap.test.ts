import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
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
const arrays = () => process.memoryUsage().arrayBuffers;
const first = arrays();
let held = Array.from({ length: 1600 }, () => new Uint8Array(65536).fill(1));
held = [held.at(-1)];
globalThis.gc();
// V8 frees arrays in a thread of its own, whenever that gets a turn.
while (arrays() - first > 160 * 65536) await sleep(5);
const before = own();
trimHeap();
console.log(JSON.stringify({ before, after: own(), held: held.length }));
`;

it("gives back what was freed below something that is still held", async ({ signal }) => {
  const words = ["--expose-gc", "--import", "tsx", "--input-type=module", "-e", PROGRAM];
  const { stdout } = await promisify(execFile)(process.execPath, words, { signal });
  const { before, after } = JSON.parse(stdout) as { before: number; after: number };
  // 1,600 times 64 KiB are 102,400 kB.
  expect(before - after).toBeGreaterThan(50_000);
});
