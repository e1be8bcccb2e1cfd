import { expect, test } from "vitest";
import { heapFlagOf } from "./heap-flags.ts";

const MIB = 1_048_576;
const ofArgs = (...words: readonly string[]) => heapFlagOf(new Map([["process.command_args", JSON.stringify(words)]]));
const ofLine = (text: string) => heapFlagOf(new Map([["process.command_line", text]]));

test.each([
  [["/usr/bin/node", "--max-old-space-size=96", "server.js"], "max-old-space-size", 96 * MIB],
  [["node", "--max_old_space_size", "256", "server.js"], "max-old-space-size", 256 * MIB],
  // Of several the last one holds, for V8 and for Java.
  [["node", "--max-old-space-size=96", "--max-old-space-size=128", "a.js"], "max-old-space-size", 128 * MIB],
  [["java", "-Xmx512m", "-jar", "shop.jar"], "Xmx", 512 * MIB],
  [["java", "-Xms64m", "-Xmx2G", "-jar", "shop.jar"], "Xmx", 2048 * MIB],
  [["java", "-XX:MaxHeapSize=1048576k", "-jar", "shop.jar"], "Xmx", 1024 * MIB],
  [["java", "-Xmx6291456", "-jar", "shop.jar"], "Xmx", 6 * MIB],
] as const)("%j", (words, setting, bytes) => {
  expect(ofArgs(...words)).toEqual({ setting, bytes });
  expect(ofLine(words.join(" "))).toEqual({ setting, bytes });
});

test.each([
  [["node", "server.js"]],
  [["node", "--max-old-space-size", "server.js"]],
  [["node", "--max-old-space-size=lots", "server.js"]],
  [["node", "--max-old-space-size=0", "server.js"]],
  [["java", "-Xmxm", "-jar", "a.jar"]],
  [["java", "-XX:MaxRAMPercentage=75", "-jar", "a.jar"]],
])("%j sets none", (words) => {
  expect(ofArgs(...words)).toBeUndefined();
});

test("no command line, one that begins with a bracket, and one that is cut", () => {
  expect(heapFlagOf(new Map())).toBeUndefined();
  expect(ofLine("[ -f a ] && node --max-old-space-size=8 b.js")).toEqual({
    setting: "max-old-space-size",
    bytes: 8 * MIB,
  });
  expect(heapFlagOf(new Map([["process.command_args", '["node","--max-old']]))).toBeUndefined();
});
