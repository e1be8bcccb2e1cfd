import { describe, expect, test } from "vitest";
import { erlang, exponential, lognormal, normal, sampleOf } from "../testing/distributions.ts";
import { latencyModes } from "./histogram-modes.ts";
import { Random } from "./random.ts";

const MS = 1e6;

/** Durations in ms of which the given shares fail. */
function modesOf(durationsMs: Float64Array, failed: (ms: number, i: number) => boolean = () => false) {
  return latencyModes(
    durationsMs.map((ms) => Math.round(ms * MS)),
    Uint8Array.from(durationsMs, (ms, i) => Number(failed(ms, i))),
  );
}

describe("smooth distributions have no modes, over 100 seeds of 5,000 durations", () => {
  test.each([
    { name: "exponential", draw: (r: Random) => exponential(r, 20) },
    { name: "Erlang 2", draw: (r: Random) => erlang(r, 2, 20) },
    { name: "Erlang 20", draw: (r: Random) => erlang(r, 20, 20) },
    { name: "lognormal, sigma 0.02", draw: (r: Random) => lognormal(r, 20, 0.02) },
    { name: "lognormal, sigma 0.1", draw: (r: Random) => lognormal(r, 20, 0.1) },
    { name: "lognormal, sigma 0.5", draw: (r: Random) => lognormal(r, 20, 0.5) },
    { name: "lognormal, sigma 1.5", draw: (r: Random) => lognormal(r, 20, 1.5) },
    { name: "a constant and an exponential", draw: (r: Random) => 20 + exponential(r, 4) },
    {
      name: "a cache: two broad modes",
      draw: (r: Random) => (r.uniform() < 0.7 ? lognormal(r, 2, 0.4) : lognormal(r, 40, 0.4)),
    },
    { name: "exponential in whole milliseconds", draw: (r: Random) => Math.ceil(exponential(r, 20)) },
  ])("$name", ({ draw }) => {
    const random = new Random(1);
    let alarms = 0;
    for (let i = 0; i < 100; i++) if (modesOf(sampleOf(5000, () => draw(random))).length > 0) alarms++;
    expect(alarms).toBe(0);
  });
});

test("one in a hundred calls times out after 3 s", () => {
  const random = new Random(2);
  const durations = sampleOf(5000, () =>
    random.uniform() < 0.01 ? 3001 + exponential(random, 3) : lognormal(random, 20, 0.6),
  );
  const [mode, ...more] = modesOf(durations, (ms) => ms > 3000);
  expect(more).toEqual([]);
  expect(mode!.looksLike).toEqual({ kind: "timeout", timeoutNs: 3000 * MS });
  expect(mode!.errorShare).toBe(1);
  expect(mode!.errorShareElsewhere).toBe(0);
  expect(mode!.count).toBe(durations.filter((ms) => ms > 3000).length);
  expect(mode!.centreNs / MS).toBeGreaterThan(3001);
  expect(mode!.centreNs / MS).toBeLessThan(3006);
});

test("a timeout inside the tail of the distribution stands out of it", () => {
  const random = new Random(3);
  // lognormal cut at 500 ms: what would have taken longer fails there
  const durations = sampleOf(5000, () => Math.min(lognormal(random, 60, 1), 500 + random.uniform()));
  const [mode, ...more] = modesOf(durations, (ms) => ms >= 500);
  expect(more).toEqual([]);
  expect(mode!.looksLike).toEqual({ kind: "timeout", timeoutNs: 500 * MS });
});

test.each([
  { delayMs: 40, known: "delayed ACK (Linux, 40 ms)" },
  { delayMs: 200, known: "TCP retransmission (Linux minimum, 200 ms)" },
  { delayMs: 1000, known: "SYN or DNS retry (1 s)" },
  { delayMs: 5000, known: "DNS timeout (5 s)" },
])("$delayMs ms on one call in twenty: $known", ({ delayMs, known }) => {
  const random = new Random(4);
  const durations = sampleOf(4000, () => lognormal(random, 2, 0.4) + (random.uniform() < 0.05 ? delayMs : 0));
  const [mode, ...more] = modesOf(durations);
  expect(more).toEqual([]);
  expect(mode!.looksLike).toEqual({ kind: "fixed-delay", delayNs: delayMs * MS, known });
  expect(mode!.share).toBeGreaterThan(0.03);
  expect(mode!.share).toBeLessThan(0.07);
});

test("a second mode at no round value has no name", () => {
  const random = new Random(5);
  const durations = sampleOf(4000, () => (random.uniform() < 0.05 ? 137 + normal(random) : lognormal(random, 2, 0.4)));
  const modes = modesOf(durations);
  expect(modes.map((m) => m.looksLike)).toEqual([{ kind: "unnamed" }]);
  expect(modes[0]!.delayNs / MS).toBeCloseTo(135, 0);
});

test("two modes are both found", () => {
  const random = new Random(6);
  const durations = sampleOf(6000, (): number => {
    const u = random.uniform();
    if (u < 0.03) return 1000 + exponential(random, 2);
    return lognormal(random, 5, 0.4) + (u < 0.08 ? 100 : 0);
  });
  expect(modesOf(durations, (ms) => ms >= 1000).map((m) => m.looksLike.kind)).toEqual(["fixed-delay", "timeout"]);
});

test("nine calls are too few for a mode; none at all are none", () => {
  const random = new Random(7);
  const durations = sampleOf(2000, () => lognormal(random, 5, 0.4));
  durations.fill(1000, 0, 9);
  expect(modesOf(durations)).toEqual([]);
  expect(modesOf(new Float64Array(0))).toEqual([]);
  expect(modesOf(new Float64Array(100).fill(7))).toEqual([]);
});
