import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { MessageQueue } from "./message-queue.ts";

test("so many workers take messages in their order; what does not fit is refused; a failure stops nobody", async () => {
  const begun: unknown[] = [];
  const finish: (() => void)[] = [];
  const queue = new MessageQueue("test", 2, 2, (body) => {
    begun.push(body);
    return new Promise((resolve) => finish.push(resolve));
  });
  const offers = [1, 2, 3, 4, 5].map((body) => queue.offer({ headers: {}, body }));
  expect(offers).toEqual([true, true, true, true, false]);
  await turn();
  expect(begun).toEqual([1, 2]);
  finish[1]?.();
  await turn();
  expect(begun).toEqual([1, 2, 3]);
  for (const done of finish) done();
  await turn();
  expect(begun).toEqual([1, 2, 3, 4]);
});
