import { expect, test } from "vitest";
import { leastWork } from "./least-work.ts";

const check = { service: "orders", usedCores: 0.2, servedPerSecond: 100, activeCores: 0.3, unclaimedCores: 0.1 };

test.each([
  ["2 ms for each request", {}, true],
  ["a counter in milliseconds read as microseconds: 2 µs for each", { usedCores: 0.0002 }, false],
  // 0.0005 cores / 100 per second = 5 µs: a fast server, and its loop hardly active.
  ["a fast server", { usedCores: 0.0005, activeCores: 0.001 }, true],
  ["no request came by the network", { usedCores: 0.0002, servedPerSecond: 0, activeCores: Number.NaN }, true],
  ["nothing counted at all", { usedCores: 0 }, false],
  // 40 ms a request, counted as 40 µs: only loop and machine tell.
  [
    "long work, 1,000 times too small",
    { usedCores: 0.0004, servedPerSecond: 10, activeCores: 0.4, unclaimedCores: 0.4 },
    false,
  ],
  [
    "a loop that only waits, on an idle machine",
    { usedCores: 0.0004, servedPerSecond: 10, activeCores: 1, unclaimedCores: 0.1 },
    true,
  ],
  [
    "a loop that waits for disks: 100 times what it computes",
    { usedCores: 0.004, servedPerSecond: 10, activeCores: 0.4, unclaimedCores: 1 },
    true,
  ],
  [
    "the machine is not measured",
    { usedCores: 0.0004, servedPerSecond: 10, activeCores: 0.4, unclaimedCores: Number.NaN },
    true,
  ],
])("%s", (_, change, ok) => {
  const gate = leastWork({ ...check, ...change });
  expect(gate.ok).toBe(ok);
  expect(gate.detail).toContain("cpu of orders");
});
