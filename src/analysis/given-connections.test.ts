import { expect, test } from "vitest";
import { GivenConnections } from "./given-connections.ts";

const asked = (
  at: number,
  endNs: number,
  callee = 1,
): { at: number; endNs: number; callee: number; ownNs: number } => ({
  at,
  endNs,
  callee,
  ownNs: 0,
});

test("two asked for at once: each statement has the one that was given last before it", () => {
  const given = new GivenConnections();
  given.add(asked(0, 60));
  given.add(asked(1, 50));
  expect(given.take(1, 50)?.at).toBe(1);
  expect(given.take(1, 60)?.at).toBe(0);
  expect(given.take(1, 100)).toBe(undefined);
});

test("not one that is given later, nor one towards another database, nor one of another parent", () => {
  const given = new GivenConnections();
  given.add(asked(0, 60));
  given.add(asked(1, 10, 2));
  expect(given.take(1, 59)).toBe(undefined);
  given.begin();
  expect(given.take(2, 100)).toBe(undefined);
});
