import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { collectGarbage, IdleMemory } from "./idle-memory.ts";

describe("IdleMemory", () => {
  const counted = (): { memory: IdleMemory; collections: () => number } => {
    let collections = 0;
    return { memory: new IdleMemory(100, () => collections++), collections: () => collections };
  };

  it("has memory collected once, some seconds after blocks were given up", () => {
    const { memory, collections } = counted();
    memory.look(0);
    memory.dropped(1000);
    memory.look(6999);
    expect(collections()).toBe(0);
    memory.taken(100);
    memory.look(7000);
    memory.look(8000);
    memory.look(80_000);
    expect(collections()).toBe(1);
  });

  it("waits while there is a load", () => {
    const { memory, collections } = counted();
    memory.dropped(0);
    for (let nowMs = 1000; nowMs <= 30_000; nowMs += 1000) {
      memory.taken(101);
      memory.look(nowMs);
    }
    expect(collections()).toBe(0);
    for (let nowMs = 31_000; nowMs <= 44_000; nowMs += 1000) memory.look(nowMs);
    expect(collections()).toBe(1);
  });
});

it("gives back the memory of arrays to which nobody refers any more", async () => {
  const size = 64 * 2 ** 20;
  const before = process.memoryUsage().arrayBuffers;
  let held: Uint8Array | undefined = new Uint8Array(size).fill(1);
  expect(process.memoryUsage().arrayBuffers - before).toBeGreaterThan(0.9 * size);
  held = held.length === size ? undefined : held;
  collectGarbage();
  expect(held).toBeUndefined();
  // V8 frees arrays in a thread of its own after the collection, whenever that gets a turn.
  while (process.memoryUsage().arrayBuffers - before > 0.1 * size) await sleep(5);
});
