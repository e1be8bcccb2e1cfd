import { expect, test } from "vitest";
import { AllocationWindows } from "./allocation-windows.ts";

const window = (activeS: number, collectedS: number) => ({ lengthS: 10, activeS, collectedS });

test("a program that collects little is left alone", () => {
  const windows = new AllocationWindows("auto");
  expect(windows.isFromStart).toBe(false);
  // 4 % of what it does; then 50 % of next to nothing, 0.8 % of the clock; then nothing at all.
  for (const last of [window(5, 0.2), window(0.16, 0.08), window(0, 0)])
    expect(windows.next(0, last, false)).toBe(false);
});

test("one that collects much is looked at for one window, and again a minute later", () => {
  const windows = new AllocationWindows("auto");
  const much = window(8, 0.5);
  expect(windows.next(10_000, much, false)).toBe(true);
  // The window that was sampled ends at 20 s.
  expect(windows.next(20_000, much, true)).toBe(false);
  expect([70_000, 79_999, 80_000].map((at) => windows.next(at, much, false))).toEqual([false, false, true]);
});

test("as the user says it otherwise", () => {
  const [on, off] = [new AllocationWindows("on"), new AllocationWindows("off")];
  expect([on.isFromStart, on.next(0, window(1, 0), true)]).toEqual([true, true]);
  expect([off.isFromStart, off.next(0, window(1, 1), false)]).toEqual([false, false]);
});
