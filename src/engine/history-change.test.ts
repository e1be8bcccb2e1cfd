import { expect, test } from "vitest";
import { levelChanges, riseBefore, type EndpointHistory } from "./history-change.ts";

const MINUTE = 60_000_000_000n;
const T0 = 1_790_000_000_000_000_000n;

/** Levels in ms, each for so many minutes, with a ripple of 2 % that repeats every 7 minutes. */
function history(operation: string, requests: number, ...levels: [ms: number, minutes: number][]): EndpointHistory {
  const steps = levels
    .flatMap(([ms, minutes]) => Array.from({ length: minutes }, () => ms))
    .map((ms, i) => {
      const ns = ms * 1e6 * (1 + 0.02 * Math.sin((2 * Math.PI * i * 3) / 7));
      return { startUnixNs: T0 + BigInt(i) * MINUTE, requests, meanNs: ns, p99Ns: 3 * ns };
    });
  return { service: "shop", operation, steps };
}

const minute = (n: number): bigint => T0 + BigInt(n) * MINUTE;

test("a rise before the window is found with both levels, and where the one before began", () => {
  const changes = levelChanges([history("GET /a", 100, [50, 40], [10, 40], [30, 40])]);
  const rise = riseBefore(changes, minute(90));
  expect(rise?.atUnixNs).toBe(minute(80));
  expect(rise?.sinceUnixNs).toBe(minute(40));
  expect(rise?.untilUnixNs).toBeUndefined();
  const factor = rise?.metric === "p99" ? 3 : 1;
  expect(rise!.beforeNs / factor / 1e6).toBeCloseTo(10, 0);
  expect(rise!.afterNs / factor / 1e6).toBeCloseTo(30, 0);
});

test("a fall, a rise that is over, one that comes later and none at all are no reason to compare", () => {
  const of = (...levels: [number, number][]) =>
    riseBefore(levelChanges([history("GET /a", 100, ...levels)]), minute(90));
  expect(of([30, 60], [10, 60])).toBeUndefined();
  expect(of([10, 30], [30, 30], [10, 60])).toBeUndefined();
  expect(of([10, 100], [30, 20])).toBeUndefined();
  expect(of([10, 120])).toBeUndefined();
});

test("a change below a tenth is found and not taken as a rise", () => {
  const changes = levelChanges([history("GET /a", 100, [10, 60], [10.7, 60])]);
  expect(changes.length).toBeGreaterThan(0);
  expect(riseBefore(changes, minute(90))).toBeUndefined();
});

test("of several endpoints the one whose requests lost most time decides", () => {
  const changes = levelChanges([
    history("GET /rare", 2, [10, 50], [100, 70]),
    history("GET /often", 1000, [10, 70], [20, 50]),
  ]);
  expect(riseBefore(changes, minute(100))).toMatchObject({ operation: "GET /often", atUnixNs: minute(70) });
});
