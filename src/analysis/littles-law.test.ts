import { expect, test } from "vitest";
import { forcedFlow, missingSpans } from "./forced-flow.ts";
import { littlesLaw } from "./littles-law.ts";
import { utilisationLaw } from "./utilisation-law.ts";

const ns = (...values: number[]): Float64Array => Float64Array.from(values);

test("back to back requests: 1 in flight = 1 per 10 ns × 10 ns", () => {
  expect(littlesLaw(ns(0, 10, 20), ns(10, 20, 30), 0, 30)).toMatchObject({ ok: true, error: 0 });
});

test("work that piles up breaks the law", () => {
  // In flight: 10 + 9 + ... + 1 = 55 of 10 ns; nothing but the first has ended, after 10 ns: 1.0 against 5.5.
  const starts = Array.from({ length: 10 }, (_, i) => i);
  const ends = starts.map((start) => (start === 0 ? 10 : 1000));
  const gate = littlesLaw(ns(...starts), ns(...ends), 0, 10);
  expect(gate.ok).toBe(false);
  expect(gate.error).toBeCloseTo(1 - 10 / 55, 9);
  expect(gate.detail).toContain("piles up");
});

test("no completion at all is no steady state", () => {
  expect(littlesLaw(ns(0), ns(50), 0, 10)).toMatchObject({ ok: false });
  expect(littlesLaw(ns(), ns(), 0, 10)).toMatchObject({ ok: false });
});

test.each([
  ["within capacity, and less than the requests' time", [0.2, 0.9, 1.02], 0.002, 0.01, true],
  ["a share given as percent", [20, 90, 55], 0.2, 0.01, false],
  ["NaN", [Number.NaN, 0.5, 0.5], 0.002, 0.01, false],
  ["seconds taken for milliseconds", [0.2, 0.3, 0.2], 2, 0.01, false],
  ["spans do not tell the time there", [0.2, 0.3, 0.2], 2, Infinity, true],
])("utilisation law: %s", (_, utilisation, demandS, residenceS, ok) => {
  const gate = utilisationLaw({
    name: "cpu of orders",
    utilisation: ns(...utilisation),
    demandS,
    residenceS,
    excess: 0.5,
  });
  expect(gate.ok).toBe(ok);
  expect(gate.detail).toContain("cpu of orders");
});

test.each([
  ["all served", [{ service: "a", called: 100, served: 100 }], true, "every call"],
  ["a tenth is missing", [{ service: "a", called: 100, served: 90 }], false, "10.0 % of 100 calls of a"],
  ["too few to say", [{ service: "a", called: 10, served: 5 }], true, "often enough"],
])("forced flow: %s", (_, flows, ok, detail) => {
  const gate = forcedFlow(flows);
  expect(gate.ok).toBe(ok);
  expect(gate.detail).toContain(detail);
});

test("missing spans", () => {
  expect(missingSpans(1000, 40).ok).toBe(true);
  expect(missingSpans(1000, 60).ok).toBe(false);
  expect(missingSpans(0, 0).ok).toBe(true);
});
