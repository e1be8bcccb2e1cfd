import { expect, test } from "vitest";
import { baselineOf, rangeOf } from "./window-of.ts";

const S = 1_000_000_000n;
const NOW = 1_790_000_000n * S + 1n;

test("without anything it is the last quarter of an hour, up to the end of this second", () => {
  expect(rangeOf({}, NOW)).toEqual({ fromUnixNs: (1_790_000_001n - 900n) * S, toUnixNs: 1_790_000_001n * S });
  expect(rangeOf({ last: "1.5h" }, NOW).fromUnixNs).toBe((1_790_000_001n - 5400n) * S);
});

test("from and to are times with a zone, or nanoseconds", () => {
  const range = { fromUnixNs: 1_790_000_000n * S, toUnixNs: 1_790_000_060n * S };
  expect(rangeOf({ from: "2026-09-21T13:33:20Z", to: "2026-09-21T15:34:20+02:00" }, NOW)).toEqual({
    fromUnixNs: BigInt(Date.UTC(2026, 8, 21, 13, 33, 20)) * 1_000_000n,
    toUnixNs: BigInt(Date.UTC(2026, 8, 21, 13, 34, 20)) * 1_000_000n,
  });
  expect(rangeOf({ from: String(range.fromUnixNs), to: String(range.toUnixNs) }, NOW)).toEqual(range);
  expect(rangeOf({ to: String(range.toUnixNs), last: "60s" }, NOW)).toEqual(range);
});

test.each([
  [{ last: "1h", from: "2026-01-01T00:00:00Z" }, "last or from"],
  [{ from: "2026-01-01T00:00:00Z", to: "2026-01-01T00:00:00Z" }, "before to"],
  [{ from: "2026-01-01T00:00:00" }, "expected a time"],
  [{ from: "yesterday" }, "expected a time"],
  [{ from: "2026-13-01T00:00:00Z" }, "expected a time"],
  [{ last: "500d" }, "400 days"],
])("%j is refused", (query, message) => {
  expect(() => rangeOf(query, NOW)).toThrow(message);
});

test("a baseline is found, left out, so much earlier, or a range", () => {
  const range = rangeOf({ last: "15m" }, NOW);
  expect(baselineOf(undefined, range)).toEqual({ kind: "auto" });
  expect(baselineOf("none", range)).toEqual({ kind: "none" });
  expect(baselineOf("1h", range)).toEqual({
    kind: "range",
    range: { fromUnixNs: range.fromUnixNs - 3600n * S, toUnixNs: range.toUnixNs - 3600n * S },
  });
  expect(baselineOf("1789999000000000000/1789999900000000000", range)).toEqual({
    kind: "range",
    range: { fromUnixNs: 1_789_999_000n * S, toUnixNs: 1_789_999_900n * S },
  });
  for (const wrong of ["yesterday", "2026-01-01T00:00:00Z", "/", "0s"])
    expect(() => baselineOf(wrong, range)).toThrow(/baseline|from|expected/);
});
