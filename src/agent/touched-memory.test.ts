import { expect, test } from "vitest";
import type { Mapping } from "./process-maps.ts";
import { TouchedMemory } from "./touched-memory.ts";

const mapping = (start: number, path: string): Mapping => ({
  start,
  end: start + 0x1000,
  offset: 0,
  path,
  identity: "",
});

test("files, what the kernel names, memory without a name, and nothing", () => {
  const mappings = [mapping(0x1000, "/srv/data.bin"), mapping(0x2000, "[heap]"), mapping(0x5000, "")];
  const memory = new TouchedMemory(() => mappings);
  const names = [0x0fff, 0x1000, 0x1fff, 0x2000, 0x3000, 0x5fff, 0x6000].map((at) => memory.nameOf(1, at, 0));
  expect(names).toEqual(["", "/srv/data.bin", "/srv/data.bin", "[heap]", "", "[anonymous]", ""]);
});

test.each([
  [10, 100],
  [1000, 100],
  // 0.1 ms for each mapping: 2 % of the time where one takes 2 µs.
  [50_000, 5000],
])("a process with %i mappings is looked at again after %i ms", (count, ms) => {
  const mappings = Array.from({ length: count }, (_, i) => mapping(i * 0x1000, ""));
  let looks = 0;
  const memory = new TouchedMemory(() => {
    looks += 1;
    return mappings;
  });
  for (const at of [0, 1, ms - 1]) memory.nameOf(1, 0, at);
  expect(looks).toBe(1);
  memory.nameOf(1, 0, ms);
  expect(looks).toBe(2);
});

test("of a process that has ended what was known before still holds", () => {
  let isThere = true;
  const memory = new TouchedMemory(() => (isThere ? [mapping(0x1000, "/srv/data.bin")] : undefined));
  expect(memory.nameOf(1, 0x1000, 0)).toBe("/srv/data.bin");
  isThere = false;
  expect(memory.nameOf(1, 0x1000, 1000)).toBe("/srv/data.bin");
});
