import { expect, test } from "vitest";
import { factorWithout, meanWait, waitingWithout } from "./own-time-without.ts";

const split = { work: 0.5, waiting: 0.3, rest: 0.2, utilisation: 0.6 };

test("the mean wait before one server, from the work in a request's own time", () => {
  // 10 ms of which half is work; ρ / (1 - ρ) = 1.5 of it.
  expect(meanWait(split, 10)).toBeCloseTo(7.5, 9);
  expect(meanWait({ ...split, utilisation: 0 }, 10)).toBe(0);
});

test("work shrinks by its share, the queue by more, the rest stays", () => {
  // ρ falls to 0.3: (0.5 × 0.3 / 0.7) / (0.6 / 0.4) = 1 / 7.
  expect(waitingWithout(split, 0.5)).toBeCloseTo(1 / 7, 9);
  expect(factorWithout(split, { ofWork: 0.5, ofQueue: 0.5 })).toBeCloseTo(0.25 + 0.3 / 7 + 0.2, 9);
});
