import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { AccountCache } from "./account-cache.ts";

/** A fetch that is answered by hand. */
function fetches(): { log: number[]; answer: (() => void)[]; fetch: (id: number) => Promise<string> } {
  const log: number[] = [];
  const answer: (() => void)[] = [];
  const fetch = (id: number): Promise<string> => {
    log.push(id);
    return new Promise((resolve) => answer.push(() => resolve(`account ${id}`)));
  };
  return { log, answer, fetch };
}

const HOUR = { entries: 2, ttlMs: 3_600_000 };

test("what is being fetched is waited for, and then kept", async () => {
  const { log, answer, fetch } = fetches();
  const cache = new AccountCache(HOUR, "per-key", fetch);
  const both = Promise.all([cache.get(1), cache.get(1)]);
  answer[0]?.();
  expect(await both).toEqual(["account 1", "account 1"]);
  expect(await cache.get(1)).toBe("account 1");
  expect(log).toEqual([1]);
});

test("the one used longest ago makes room", async () => {
  const log: number[] = [];
  const cache = new AccountCache(HOUR, "per-key", async (id) => log.push(id));
  for (const id of [1, 2, 1, 3, 1, 2]) await cache.get(id);
  expect(log).toEqual([1, 2, 3, 2]);
});

test.each([
  { entries: 0, ttlMs: 3_600_000 },
  { entries: 5, ttlMs: 0 },
])("%j keeps nothing", async (settings) => {
  const log: number[] = [];
  const cache = new AccountCache(settings, "per-key", async (id) => log.push(id));
  for (const id of [1, 1]) await cache.get(id);
  expect(log).toEqual([1, 1]);
});

test("with one lock for all, a fetch waits for the one before, which may have brought the same", async () => {
  const { log, answer, fetch } = fetches();
  const cache = new AccountCache(HOUR, "global", fetch);
  const all = Promise.all([cache.get(1), cache.get(2), cache.get(1)]);
  await turn();
  expect(log).toEqual([1]);
  answer[0]?.();
  await turn();
  expect(log).toEqual([1, 2]);
  answer[1]?.();
  expect(await all).toEqual(["account 1", "account 2", "account 1"]);
  expect(log).toEqual([1, 2]);
});

test("a fetch that fails frees the lock", async () => {
  let calls = 0;
  const fetch = async (): Promise<string> => {
    if (calls++ === 0) throw new Error("no answer");
    return "found";
  };
  for (const lock of ["per-key", "global"] as const) {
    calls = 0;
    const cache = new AccountCache(HOUR, lock, fetch);
    await expect(cache.get(1)).rejects.toThrow("no answer");
    expect(await cache.get(1)).toBe("found");
  }
});
