import { describe, expect, it } from "vitest";
import { MECHANISMS } from "../../model/report.ts";
import { assertSpanTable } from "../../model/span-table.ts";
import { FAULTS } from "../simulator/faults/table.ts";
import { faultCase, MATERIAL, percentiles } from "./case.ts";
import { HEALTHY_KINDS, healthyCase } from "./healthy-case.ts";

/** Fewer traces than the bench takes: enough to tell a fault from none. */
const TRACES = 500;

describe("faults", () => {
  it("are at least 24 kinds, each with a name of its own", () => {
    expect(FAULTS.length).toBeGreaterThanOrEqual(24);
    expect(new Set(FAULTS.map(({ name }) => name)).size).toBe(FAULTS.length);
  });

  it.each(FAULTS)("$name is material, and the fix heals it", (fault) => {
    const { truth, current, baseline } = faultCase(fault, 4, TRACES);
    assertSpanTable(current);
    expect(truth.worse.p50 >= MATERIAL.p50 || truth.worse.p99 >= MATERIAL.p99).toBe(true);
    for (const mechanism of [truth.mechanism, ...truth.acceptableMechanisms]) expect(MECHANISMS).toContain(mechanism);
    expect(baseline !== undefined).toBe(fault.baseline);
    if (baseline !== undefined) expect(baseline.baseUnixNs < current.baseUnixNs).toBe(true);
    // the truth is about something that a reader of the spans can see
    const words = new Set(Array.from({ length: current.strings.size }, (_, id) => current.strings.get(id)));
    expect(words.has(truth.service)).toBe(true);
    // no attribute gives the answer away
    for (const word of words) expect(word).not.toMatch(/fault|inject|truth/i);
  });

  it("come out the same for the same seed", () => {
    const fault = FAULTS.find(({ name }) => name === "straggler")!;
    const [a, b] = [faultCase(fault, 2, TRACES), faultCase(fault, 2, TRACES)];
    expect(a.truth).toEqual(b.truth);
    expect(a.current.endOffsetNs).toEqual(b.current.endOffsetNs);
  });
});

it.each(HEALTHY_KINDS)("healthy $name makes a table", (kind) => {
  const { current, baseline } = healthyCase(kind, 1, 200);
  assertSpanTable(current);
  expect(baseline !== undefined).toBe(kind.baseline);
});

it("takes percentiles by nearest rank", () => {
  // of 1..200: ranks 100, 190 and 198
  expect(percentiles(Float64Array.from({ length: 200 }, (_, i) => 200 - i))).toEqual({
    p50Ms: 100,
    p95Ms: 190,
    p99Ms: 198,
  });
});
