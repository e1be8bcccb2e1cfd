import { expect, test } from "vitest";
import { QueryLimit } from "./query-limit.ts";

const caller = new AbortController().signal;
const forever = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("ended"))));

test("a query that takes too long is ended and told", async () => {
  const limit = new QueryLimit(20);
  let ended = false;
  const query = async (signal: AbortSignal): Promise<void> => {
    await forever(signal).catch(() => (ended = true));
  };
  await expect(limit.run(caller, query)).rejects.toMatchObject({ status: 504 });
  expect(ended).toBe(true);
  // One that does not listen to its signal is answered in time all the same.
  await expect(limit.run(caller, () => new Promise(() => {}))).rejects.toMatchObject({ status: 504 });
});

test("eight run at a time, the others after them, and beyond 64 waiting ones are refused", async () => {
  const limit = new QueryLimit(60_000);
  let running = 0;
  let most = 0;
  const open: (() => void)[] = [];
  const query = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => open.push(resolve));
    running--;
  };
  const all = Array.from({ length: 8 + 64 }, () => limit.run(caller, query));
  await expect(limit.run(caller, query)).rejects.toMatchObject({ status: 429 });
  let done = 0;
  for (const one of all) void one.then(() => done++);
  while (done < all.length) {
    open.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(most).toBe(8);
});

test("the error of a query is its answer, and frees its place", async () => {
  const limit = new QueryLimit(60_000);
  for (let i = 0; i < 20; i++)
    await expect(limit.run(caller, async () => Promise.reject(new Error(`no ${i}`)))).rejects.toThrow(`no ${i}`);
});
