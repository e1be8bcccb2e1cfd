import { expect, test } from "vitest";
import { WorkerBoard } from "./worker-board.ts";

test("sixteen workers have a slot, the next one when one of them ended, by whoever saw it end", () => {
  const board = new WorkerBoard();
  const claimed = Array.from({ length: 17 }, (_, i) => board.claim(i + 1));
  expect(claimed).toEqual([...Array.from({ length: 16 }, () => true), false]);
  // Another thread looks at the same memory.
  const other = new WorkerBoard(board.cells);
  other.release(5);
  other.release(5);
  expect(board.profiled).toBe(15);
  expect([board.claim(17), board.claim(18), board.profiled]).toEqual([true, false, 16]);
});

test("one worker in five seconds is looked at from its first moment on", () => {
  const board = new WorkerBoard();
  const now = 1_790_000_000;
  expect([now, now + 1, now + 4, now + 5, now + 6, now + 11].map((at) => board.mayBeEarly(at))).toEqual([
    true,
    false,
    false,
    true,
    false,
    true,
  ]);
});

test("four MiB wait at most; what does not fit is counted, and fits when some was taken", () => {
  const board = new WorkerBoard();
  const mib = 1 << 20;
  expect([board.mayQueue(3 * mib), board.mayQueue(mib), board.mayQueue(1)]).toEqual([true, true, false]);
  expect(board.lost).toBe(1);
  board.dequeue(3 * mib);
  expect([board.mayQueue(2 * mib), board.mayQueue(mib), board.mayQueue(mib)]).toEqual([true, true, false]);
  expect(board.lost).toBe(2);
});
